//! Pushes as clients meet them: a real node on a free port, real sockets, real streams. Facts are
//! written through the engine's use cases; the routes that book are tested elsewhere.

#[cfg(test)]
mod joining;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod oversight;
#[cfg(test)]
mod rights;
#[cfg(test)]
mod scene;
#[cfg(test)]
mod streams;
