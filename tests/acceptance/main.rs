//! What Holdfast promises, tried over HTTP against a real node: the scenarios of the design, the
//! habits of its API, and the contract itself. A node of its own for each test.

mod holds;
