//! A second server beside a first one: a copy that follows it, and that each commit waits for.

use std::fs;
use std::io::Write as _;
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::process::{folder_of, free_port, give, run_as};
use crate::server::{PATIENCE, Server, USER, run};

/// How the standby is called in `synchronous_standby_names`.
const NAME: &str = "standby";
/// Whether somebody follows whom each commit waits for.
const FOLLOWS: &str =
    "SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')";

impl Server {
    /// A standby of this server. When this returns it follows, and no commit here is acknowledged
    /// that it has not on its disk.
    ///
    /// # Panics
    /// When it cannot be made or does not follow.
    pub async fn standby(&self) -> Self {
        let folder = folder_of(USER);
        let copied = run_as(USER, &self.programs.join("pg_basebackup"))
            .arg("--pgdata")
            .arg(folder.join("data"))
            .args(["--checkpoint=fast", "--no-sync", "--host=127.0.0.1", "--username=holdfast"])
            .arg(format!("--port={}", self.port))
            .env("PGPASSWORD", &self.password)
            .output()
            .unwrap();
        assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
        let settings = folder.join("data/postgresql.auto.conf");
        let mut settings = fs::File::options().append(true).open(settings).unwrap();
        let (port, password) = (self.port, &self.password);
        writeln!(
            settings,
            "primary_conninfo = 'host=127.0.0.1 port={port} user=holdfast password={password} \
             application_name={NAME}'"
        )
        .unwrap();
        fs::write(folder.join("data/standby.signal"), "").unwrap();
        give(USER, &folder);
        let port = free_port();
        let process = run(&self.programs, &folder, port);
        let (programs, password) = (self.programs.clone(), self.password.clone());
        let mut standby = Self { programs, folder, password, port, process };
        standby.answers().await;
        self.wait_for(NAME).await;
        standby
    }

    /// Lets no commit be acknowledged before the standby has it, and returns when that is so.
    async fn wait_for(&self, name: &str) {
        let mut connection = PgConnection::connect(&self.url()).await.unwrap();
        for statement in [
            format!("ALTER SYSTEM SET synchronous_standby_names = '{name}'"),
            "SELECT pg_reload_conf()".to_owned(),
        ] {
            sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
        }
        let began = Instant::now();
        while sqlx::query_scalar::<_, i64>(FOLLOWS).fetch_one(&mut connection).await.unwrap() == 0 {
            assert!(began.elapsed() < PATIENCE, "the standby does not follow");
            std::thread::sleep(Duration::from_millis(20));
        }
        connection.close().await.unwrap();
    }

    /// Lets a standby become a primary, and returns when it can be written.
    ///
    /// # Panics
    /// When it does not.
    pub async fn promote(&self) {
        let mut connection = PgConnection::connect(&self.url()).await.unwrap();
        let promoted = sqlx::query_scalar("SELECT pg_promote(true, 30)");
        let promoted: bool = promoted.fetch_one(&mut connection).await.unwrap();
        assert!(promoted, "the standby does not become a primary");
        connection.close().await.unwrap();
    }

    /// The address of this server or another, whichever can be written.
    pub fn url_with(&self, other: &Self) -> String {
        let (password, one, two) = (&self.password, self.port, other.port);
        format!("postgres://holdfast:{password}@127.0.0.1:{one},127.0.0.1:{two}/postgres")
    }
}
