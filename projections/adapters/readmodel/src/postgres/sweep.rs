//! Removes what nobody can read any more, a handful at a time, so that no statement is long however
//! much there is. Several nodes may sweep at once.

use holdfast_postgres::Database;
use holdfast_projections::ports::StoreError;

use super::visit::{handful, until_done};

/// Documents of generations that are gone. No page adds to those: it would not find its checkpoint.
pub(super) async fn documents(database: &Database) -> Result<(), StoreError> {
    // The smallest number above each known one is found in the index, so this does not read
    // the documents that stay.
    let sweep = "WITH RECURSIVE found AS (\
            (SELECT generation FROM documents ORDER BY generation LIMIT 1) UNION ALL \
            SELECT (SELECT d.generation FROM documents d WHERE d.generation > f.generation \
                    ORDER BY d.generation LIMIT 1) FROM found f WHERE f.generation IS NOT NULL), \
        gone AS (SELECT d.generation, d.key FROM documents d WHERE d.generation = \
                (SELECT f.generation FROM found f WHERE f.generation IS NOT NULL \
                 AND NOT EXISTS (SELECT FROM generations g WHERE g.id = f.generation) LIMIT 1) \
            LIMIT $1 FOR UPDATE SKIP LOCKED), \
        swept AS (DELETE FROM documents d USING gone \
            WHERE d.generation = gone.generation AND d.key = gone.key RETURNING 1) \
        SELECT count(*) FROM swept";
    until_done(database, sweep, 2_000).await
}

/// Up to `limit` changes that were let go of, with the topics under which they were found.
pub(super) async fn changes(database: &Database, limit: u32) -> Result<u64, StoreError> {
    let sweep = "WITH old AS (SELECT c.position, c.ordinal FROM changes c \
            WHERE c.position <= (SELECT oldest_position FROM live) \
            ORDER BY c.position, c.ordinal LIMIT $1 FOR UPDATE SKIP LOCKED), \
        gone AS (DELETE FROM changes c USING old \
            WHERE c.position = old.position AND c.ordinal = old.ordinal \
            RETURNING c.position, c.ordinal, c.topics), \
        topics AS (DELETE FROM change_topics t \
            USING (SELECT unnest(topics) AS topic, position, ordinal FROM gone) known \
            WHERE t.topic = known.topic AND t.position = known.position \
            AND t.ordinal = known.ordinal) \
        SELECT count(*) FROM gone";
    handful(database, sweep, limit).await
}
