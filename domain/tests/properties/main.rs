//! Laws of the domain, tried on random histories. Each law is a checker that keeps its own, naive
//! account from the events alone; for each, planted faults show that the checker would see them.
//! `PROPTEST_CASES` sets how many histories are tried.

#[cfg(test)]
mod calendar;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod payment;
#[cfg(test)]
mod session;
#[cfg(test)]
mod slots;
