//! Inserts of many rows. Each statement is a visit to the connection's own thread, so rows go in
//! many at a time; each text is compiled once and kept, so there are only a few texts.

use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteConnection};

/// A statement that is being filled.
pub type Query = sqlx::query::Query<'static, Sqlite, SqliteArguments>;

/// Rows per statement. A compiled statement keeps room for each of its values, so the longest are
/// short enough for a connection to keep all of them in about a megabyte.
const LENGTHS: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];

/// An insert in a few fixed lengths. Rows that are not needed are bound to nothing and filtered
/// out, so the first column of a real row must not be null.
#[derive(Debug)]
pub struct Insert {
    columns: usize,
    by_rows: [(usize, String); LENGTHS.len()],
}

impl Insert {
    /// `into` names the table and its columns, of which there are so many; `before` comes first and
    /// `after` last in the text.
    pub fn new(before: &str, into: &str, columns: usize, after: &str) -> Self {
        let row = format!("({})", vec!["?"; columns].join(", "));
        let by_rows = LENGTHS.map(|rows| {
            let values = vec![row.as_str(); rows].join(", ");
            let from = format!("SELECT * FROM (VALUES {values}) WHERE column1 IS NOT NULL");
            (rows, format!("{before}{into} {from}{after}"))
        });
        Self { columns, by_rows }
    }

    /// Inserts the rows; `bind` binds the columns of one. Answers how many rows were changed.
    pub async fn run<T: Sync>(
        &'static self,
        connection: &mut SqliteConnection,
        rows: &[T],
        bind: impl Fn(Query, &T) -> Query + Send,
    ) -> Result<u64, sqlx::Error> {
        let (mut rest, mut changed) = (rows, 0_u64);
        while !rest.is_empty() {
            let (query, later) = self.first(rest, |query| query, &bind);
            let done = query.execute(&mut *connection).await?;
            changed = changed.saturating_add(done.rows_affected());
            rest = later;
        }
        Ok(changed)
    }

    /// The statement for as many rows as one takes, and the rows that are left. `begin` binds what
    /// the text has before the rows.
    pub fn first<'r, T>(
        &'static self,
        rows: &'r [T],
        begin: impl FnOnce(Query) -> Query,
        bind: &impl Fn(Query, &T) -> Query,
    ) -> (Query, &'r [T]) {
        let [.., longest] = &self.by_rows;
        let fitting = self.by_rows.iter().find(|(length, _)| *length >= rows.len());
        let (length, text) = fitting.unwrap_or(longest);
        let (now, later) = rows.split_at_checked(*length).unwrap_or((rows, &[]));
        let query = now.iter().fold(begin(sqlx::query(text.as_str())), bind);
        let empty = length.saturating_sub(now.len()).saturating_mul(self.columns);
        ((0..empty).fold(query, |query, _| query.bind(None::<i64>)), later)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use sqlx::Connection;

    use super::*;

    static NUMBERS: LazyLock<Insert> =
        LazyLock::new(|| Insert::new("", "INSERT INTO numbers (number, twice)", 2, ""));

    #[tokio::test]
    async fn any_number_of_rows_goes_in_whole_and_in_order() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        for count in [0_i64, 1, 3, 64, 65, 200] {
            sqlx::raw_sql("DROP TABLE IF EXISTS numbers; CREATE TABLE numbers (number, twice)")
                .execute(&mut connection)
                .await
                .unwrap();
            let rows: Vec<i64> = (0..count).collect();
            let bind = |query: Query, row: &i64| query.bind(*row).bind(row.saturating_mul(2));
            let changed = NUMBERS.run(&mut connection, &rows, bind).await.unwrap();
            assert_eq!(i64::try_from(changed), Ok(count));
            let found: Vec<(i64, i64)> = sqlx::query_as("SELECT * FROM numbers ORDER BY rowid")
                .fetch_all(&mut connection)
                .await
                .unwrap();
            let twice: Vec<_> = rows.iter().map(|row| (*row, row.saturating_mul(2))).collect();
            assert_eq!(found, twice);
        }
    }
}
