//! Planted faults: the table finds each of them.
