//! A log that was restored from a back-up and given a new epoch: what the command line asks and
//! says, and that nothing from the future that was lost is believed afterwards.

#[cfg(test)]
mod restore {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::Path;
    use std::process::{Command, Output};
    use std::time::{Duration, Instant};

    use holdfast_api::app::{App, Running};
    use holdfast_api::auth::mint::{Grant, mint};
    use holdfast_api::config::Config;
    use holdfast_api::config::sources::Sources;
    use holdfast_api::wall_clock::unix_seconds;
    use holdfast_domain::actor::Role;
    use holdfast_test_kurrentdb::Double;
    use holdfast_test_stores::{exercised, postgres};
    use reqwest::{Client, Response};
    use serde_json::{Value, json};
    use tempfile::TempDir;

    async fn start(data: &Path) -> Running {
        start_with(data, &[]).await
    }

    async fn start_with(data: &Path, more: &[(&'static str, &str)]) -> Running {
        let flags = [("data", data.to_str().unwrap()), ("listen", "127.0.0.1:0")];
        let flags = flags.iter().chain(more).map(|(name, value)| (*name, (*value).to_owned()));
        let sources = Sources { flags: flags.collect(), ..Sources::default() };
        App::start(Config::load(&sources).unwrap()).await.unwrap()
    }

    fn run(words: [&str; 2], data: &Path, more: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast"));
        command.args(words).args(["--data", data.to_str().unwrap()]).args(more);
        command.env_remove("HOLDFAST_DATA").output().unwrap()
    }

    fn epoch(data: &Path, more: &[&str]) -> Output {
        run(["log", "epoch"], data, more)
    }

    fn clear(data: &Path, more: &[&str]) -> Output {
        run(["projections", "clear"], data, more)
    }

    /// The same about a log in a cluster.
    fn epoch_at(url: &str, data: &Path, more: &[&str]) -> Output {
        epoch(data, &[&["--log-url", url], more].concat())
    }

    fn code(output: &Output) -> i32 {
        output.status.code().unwrap()
    }

    /// The epoch on the line of the output that begins so.
    fn named(output: &Output, line: &str) -> String {
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        let line = text.lines().find(|found| found.starts_with(line)).unwrap().to_owned();
        line.split_whitespace().find(|word| word.len() == 36).unwrap().to_owned()
    }

    fn request(node: &Running, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let state = node.state();
        let grant = Grant {
            tokens: &state.config.tokens,
            principal: "018f2a10-7c5e-7000-8000-000000000001".parse().unwrap(),
            roles: &[Role::Provider, Role::Auditor],
            from: unix_seconds(),
            lifetime: Duration::from_mins(1),
        };
        let token = mint(&state.keys.signing, &grant).unwrap();
        let url = format!("http://{}{path}", node.address());
        Client::new().request(method, url).bearer_auth(token)
    }

    /// Enters a resource, one event, and answers its id.
    async fn enter(node: &Running, name: &str) -> String {
        let request = request(node, reqwest::Method::POST, "/v1/resources");
        let body = json!({"display_name": name, "zone": "Asia/Seoul"});
        let answer = request.header("idempotency-key", name).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 201);
        let entered: Value = answer.json().await.unwrap();
        entered["id"].as_str().unwrap().to_owned()
    }

    async fn get(node: &Running, path: &str) -> (u16, Value) {
        let answer = request(node, reqwest::Method::GET, path).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// The cursor after the last of so many events, of a list that goes on.
    async fn cursor_after(node: &Running, events: usize) -> String {
        let (status, page) = get(node, &format!("/v1/events?limit={events}")).await;
        assert_eq!(status, 200, "{page}");
        page["next_cursor"].as_str().unwrap().to_owned()
    }

    async fn listen(node: &Running, last: &str) -> Response {
        let request = request(node, reqwest::Method::GET, "/v1/stream?topics=events");
        request.header("last-event-id", last).send().await.unwrap()
    }

    /// What a stream says, up to where the mark has come.
    async fn said(mut stream: Response, mark: &str) -> String {
        let mut text = String::new();
        while !text.contains(mark) {
            let chunk = tokio::time::timeout(Duration::from_secs(20), stream.chunk()).await;
            let chunk = chunk.expect("nothing came").unwrap().expect("the stream ended");
            text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        text
    }

    /// A page's cursor and a stream's id from after what is in the log now.
    async fn seen(node: &Running) -> (String, String) {
        let page = cursor_after(node, 2).await;
        let told = said(listen(node, "").await, "id: ").await;
        let id = told.lines().find_map(|line| line.strip_prefix("id: ")).unwrap().to_owned();
        assert_eq!(get(node, &format!("/v1/events?limit=2&cursor={page}")).await.0, 200);
        (page, id)
    }

    /// A log of three events, restored from a back-up after the first, beside the views of all
    /// three; and what was seen of the two that are lost.
    async fn restored() -> (TempDir, String, String) {
        let (before, after) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let node = start(before.path()).await;
        enter(&node, "one").await;
        assert!(node.stop().await);
        fs::copy(before.path().join("log.db"), after.path().join("log.db")).unwrap();
        let node = start(before.path()).await;
        enter(&node, "two").await;
        enter(&node, "three").await;
        let (page, id) = seen(&node).await;
        assert_eq!(code(&epoch(before.path(), &["--yes"])), 4, "a node has it open");
        assert!(node.stop().await);
        for part in ["keys", "views.db"] {
            fs::rename(before.path().join(part), after.path().join(part)).unwrap();
        }
        (after, page, id)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_from_the_future_that_was_lost_is_believed_under_a_new_epoch() {
        let (data, page, id) = restored().await;
        let data = data.path();
        assert_eq!(code(&epoch(data, &["--yes"])), 0);
        // The views that followed the lost future are not taken for this log's.
        let node = start(data).await;
        let why = node.state().lifecycle.failed().await;
        assert!(why.contains("epoch"), "{why}");
        node.stop().await;
        let (without, dry) = (clear(data, &[]), clear(data, &["--dry-run"]));
        assert_eq!((code(&without), code(&dry)), (4, 0));
        assert_eq!(without.stdout, dry.stdout, "both show the plan");
        assert_eq!(code(&clear(data, &["--yes"])), 0);
        let node = start(data).await;
        assert_eq!(code(&clear(data, &["--yes"])), 4, "a node has it open");
        for name in ["new-two", "new-three", "new-four"] {
            enter(&node, name).await;
        }
        let (status, refusal) = get(&node, &format!("/v1/events?limit=2&cursor={page}")).await;
        assert_eq!((status, &refusal["code"]), (400, &"bad_cursor".into()));
        let told = said(listen(&node, &id).await, "event: resync").await;
        assert!(told.contains("\"events\""), "{told}");
        let fresh = cursor_after(&node, 2).await;
        let (status, rest) = get(&node, &format!("/v1/events?limit=2&cursor={fresh}")).await;
        assert_eq!((status, rest["items"].as_array().unwrap().len()), (200, 2));
        assert!(node.stop().await);
    }

    /// How a node answers who asks for a resource.
    async fn asked(node: &Running, id: &str) -> u16 {
        get(node, &format!("/v1/resources/{id}")).await.0
    }

    /// Returns when a node answers so.
    async fn answers(node: &Running, id: &str, wanted: u16) {
        let (began, mut status) = (Instant::now(), asked(node, id).await);
        while status != wanted {
            assert!(began.elapsed() < Duration::from_secs(30), "{status}");
            tokio::time::sleep(Duration::from_millis(50)).await;
            status = asked(node, id).await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_log_and_views_in_postgresql_are_restored_as_documented() {
        let (Some(log), Some(views)) = (postgres("restore").await, postgres("restore").await)
        else {
            return;
        };
        let backup = postgres("restore").await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path();
        let flags = [("log-url", log.url()), ("read-url", views.url())];
        let stores = ["--log-url", log.url(), "--read-url", views.url()];
        let node = start_with(data, &flags).await;
        let one = enter(&node, "one").await;
        assert!(node.stop().await);
        log.copy_to(&backup).await;
        let node = start_with(data, &flags).await;
        let lost = enter(&node, "two").await;
        answers(&node, &lost, 200).await;
        let yes = [&stores[..], &["--yes"]].concat();
        assert_eq!(code(&clear(data, &yes)), 4, "a node runs");
        assert!(node.stop().await);
        views.execute("GRANT SELECT ON resources TO PUBLIC").await;

        backup.copy_to(&log).await;
        let begun = epoch(data, &yes);
        assert_eq!(code(&begun), 0);
        let told = String::from_utf8(begun.stderr).unwrap();
        assert!(told.contains("projections clear --yes"), "{told}");
        // Nobody takes the views that followed the lost future for this log's, nor shows them.
        let api = start_with(data, &[&flags[..], &[("role", "api")]].concat()).await;
        assert_eq!((asked(&api, &one).await, asked(&api, &lost).await), (503, 503));
        let worker = start_with(data, &flags).await;
        let why = worker.state().lifecycle.failed().await;
        assert!(why.contains("epoch") && why.contains("projections clear"), "{why}");
        worker.stop().await;
        assert_eq!((asked(&api, &one).await, asked(&api, &lost).await), (503, 503));
        assert!(api.stop().await);

        assert_eq!(code(&clear(data, &yes)), 0);
        assert_eq!(views.number("SELECT count(*) FROM resources").await, 0);
        let node = start_with(data, &flags).await;
        answers(&node, &one, 200).await;
        assert_eq!(asked(&node, &lost).await, 404);
        let new = enter(&node, "new-two").await;
        answers(&node, &new, 200).await;
        // What dashboards read is there, and still theirs to read.
        assert_eq!(views.number("SELECT count(*) FROM resources").await, 2);
        let granted = "SELECT count(*) FROM information_schema.role_table_grants \
            WHERE table_schema = current_schema() AND table_name = 'resources' \
            AND grantee = 'PUBLIC'";
        assert_eq!(views.number(granted).await, 1);
        assert!(node.stop().await);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_new_epoch_is_begun_only_with_consent() {
        let data = tempfile::tempdir().unwrap();
        assert_eq!(code(&epoch(data.path(), &["--yes"])), 5, "there is no log");
        assert!(fs::read_dir(data.path()).unwrap().next().is_none(), "and none was begun");
        assert!(start(data.path()).await.stop().await);
        let data = data.path();
        let (without, dry) = (epoch(data, &[]), epoch(data, &["--dry-run"]));
        assert_eq!((code(&without), code(&dry)), (4, 0));
        assert_eq!(without.stdout, dry.stdout, "both show the plan");
        let begun = epoch(data, &["--yes"]);
        assert_eq!(code(&begun), 0);
        assert_eq!(named(&begun, "epoch"), named(&dry, "epoch"), "a plan changes nothing");
        let new = named(&begun, "begun");
        assert_ne!(new, named(&dry, "epoch"));
        assert_eq!(named(&epoch(data, &["--dry-run"]), "epoch"), new);
        assert_eq!(code(&epoch(data, &["--yes", "--dry-run"])), 2);
        assert_eq!(code(&epoch(data, &["--log-url", "memory:"])), 2);
    }

    #[test]
    fn a_cluster_without_a_log_is_left_as_it_is() {
        exercised("kurrentdb double", "commands that look where there is no log");
        let (data, double) = (tempfile::tempdir().unwrap(), Double::start());
        let folder = data.path().to_str().unwrap();
        for look in [&["events", "tail"][..], &["events", "export"], &["audit", "verify"]] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast"));
            command.args(look).args(["--log-url", &double.url(), "--data", folder]);
            let refused = command.env_remove("HOLDFAST_DATA").output().unwrap();
            let told = String::from_utf8_lossy(&refused.stderr).into_owned();
            assert_eq!(code(&refused), 5, "{look:?}: {told}");
            assert!(told.contains("there is no log in 127.0.0.1"), "{look:?}: {told}");
            assert!(told.contains("holdfast serve"), "{look:?}: {told}");
        }
        assert_eq!(code(&epoch_at(&double.url(), data.path(), &["--yes"])), 5);
        assert_eq!(double.appends(), 0, "a log was begun");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_new_epoch_in_a_cluster_is_what_its_nodes_serve_under() {
        exercised("kurrentdb double", "log epoch");
        let (data, double) = (tempfile::tempdir().unwrap(), Double::start());
        let url = double.url();
        let flags = [
            ("data", data.path().to_str().unwrap()),
            ("listen", "127.0.0.1:0"),
            ("log-url", &url),
            ("read-url", "memory:"),
        ];
        let flags = flags.map(|(name, value)| (name, value.to_owned()));
        let sources = Sources { flags: BTreeMap::from(flags), ..Sources::default() };
        let node = || App::start(Config::load(&sources).unwrap());
        let running = node().await.unwrap();
        enter(&running, "one").await;
        enter(&running, "two").await;
        enter(&running, "three").await;
        let before = cursor_after(&running, 2).await;
        assert!(running.stop().await);
        let dry = epoch_at(&url, data.path(), &["--dry-run"]);
        assert!(String::from_utf8_lossy(&dry.stdout).contains("stop them all"));
        let begun = epoch_at(&url, data.path(), &["--yes"]);
        assert_eq!(code(&begun), 0, "{}", String::from_utf8_lossy(&begun.stderr));
        assert_eq!(named(&begun, "epoch"), named(&dry, "epoch"), "a plan changes nothing");
        let again = epoch_at(&url, data.path(), &["--dry-run"]);
        assert_eq!(named(&again, "epoch"), named(&begun, "begun"));
        let running = node().await.unwrap();
        let (status, refusal) = get(&running, &format!("/v1/events?limit=2&cursor={before}")).await;
        assert_eq!((status, &refusal["code"]), (400, &"bad_cursor".into()));
        let after = cursor_after(&running, 2).await;
        assert_eq!(get(&running, &format!("/v1/events?limit=2&cursor={after}")).await.0, 200);
        assert!(running.stop().await);
    }
}
