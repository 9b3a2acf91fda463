//! Processes: pure functions from what the aggregates recorded, and the time, to the next step.
//! Their memory is the aggregates' own intents and deadlines; they have no stream of their own.
//! The same function is entered from the customer's call and from the runner.
