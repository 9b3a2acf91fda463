//! The table itself: every store and every fault, printed, and written where it is asked for.

use std::fmt::Write as _;
use std::time::Duration;

use crate::ALONE;
use crate::cell::{Row, cell};
use crate::node::variable;
use crate::site::Site;
use crate::trouble::Fault;

fn milliseconds(span: Duration) -> String {
    format!("{} ms", span.as_millis())
}

/// As Markdown.
fn shown(rows: &[Row]) -> String {
    let mut text = "| store | fault | commands | reads | told to come back | longest answer | \
                    used again after | listener came back | told to read again |\n\
                    | --- | --- | --: | --: | --: | --: | --: | --: | --: |\n"
        .to_owned();
    for row in rows {
        writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            row.store,
            row.fault.name(),
            row.commands,
            row.reads,
            row.turned_away,
            milliseconds(row.longest),
            row.recovered.map_or_else(|| "never".to_owned(), milliseconds),
            row.returns,
            row.resyncs,
        )
        .unwrap();
    }
    text
}

fn is_long() -> bool {
    variable("HOLDFAST_FAULTS").is_some_and(|asked| asked == "long")
}

/// Each fault of each store of a site.
async fn all(site: &mut Site) -> Vec<Row> {
    let mut rows = Vec::new();
    let long = is_long();
    let only = variable("HOLDFAST_FAULTS_ONLY");
    for target in 0..site.targets.len() {
        for fault in Fault::ALL {
            let name = format!("{} {}", site.targets[target].store.name(), fault.name());
            if only.as_ref().is_some_and(|only| !name.contains(only)) {
                continue;
            }
            let row = cell(site, target, fault, fault.lasts(long)).await;
            println!("{}", shown(std::slice::from_ref(&row)).lines().last().unwrap());
            for violation in row.violations.iter().take(10) {
                println!("    {violation}");
            }
            rows.push(row);
        }
    }
    rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_fault_of_a_store_makes_anything_wrong_or_anybody_wait() {
    let _alone = ALONE.lock().await;
    let on_postgres = async {
        let Some(mut site) = Site::on_postgres_and_redis("faults").await else { return vec![] };
        let rows = all(&mut site).await;
        site.close().await;
        rows
    };
    let on_kurrentdb = async {
        let mut site = Site::on_kurrentdb().await;
        let rows = all(&mut site).await;
        site.close().await;
        rows
    };
    // The long table is measured, the short one is soon done.
    let (mut rows, others) = if is_long() {
        (on_postgres.await, on_kurrentdb.await)
    } else {
        tokio::join!(on_postgres, on_kurrentdb)
    };
    rows.extend(others);
    println!("{}", shown(&rows));
    if let Some(path) = variable("HOLDFAST_FAULTS_TABLE") {
        std::fs::write(path, shown(&rows)).unwrap();
    }
    let count = rows.iter().map(|row| row.violations.len()).sum::<usize>();
    assert_eq!(count, 0, "{count} violations, shown above");
}
