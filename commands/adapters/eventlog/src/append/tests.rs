//! Unit tests with planted faults: see below.
