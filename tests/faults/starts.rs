//! How the binary starts when a store is away or not as it must be.
