//! Free-slot search.
