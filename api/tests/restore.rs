//! A log that was restored from a back-up and given a new epoch: what the command line asks and
//! says, and that nothing from the future that was lost is believed afterwards.

#[cfg(test)]
mod restore {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::Path;
    use std::process::{Command, Output};
    use std::time::Duration;

    use holdfast_api::app::{App, Running};
    use holdfast_api::auth::mint::{Grant, mint};
    use holdfast_api::config::Config;
    use holdfast_api::config::sources::Sources;
    use holdfast_api::wall_clock::unix_seconds;
    use holdfast_domain::actor::Role;
    use holdfast_test_kurrentdb::Double;
    use holdfast_test_stores::exercised;
    use reqwest::{Client, Response};
    use serde_json::{Value, json};
    use tempfile::TempDir;

    async fn start(data: &Path) -> Running {
        let flags = [("data", data.to_str().unwrap()), ("listen", "127.0.0.1:0")];
        let flags = flags.map(|(name, value)| (name, value.to_owned()));
        let sources = Sources { flags: BTreeMap::from(flags), ..Sources::default() };
        App::start(Config::load(&sources).unwrap()).await.unwrap()
    }

    fn epoch(data: &Path, more: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast"));
        command.args(["log", "epoch", "--data", data.to_str().unwrap()]).args(more);
        command.env_remove("HOLDFAST_DATA").output().unwrap()
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

    /// Enters a resource: one event.
    async fn enter(node: &Running, name: &str) {
        let request = request(node, reqwest::Method::POST, "/v1/resources");
        let body = json!({"display_name": name, "zone": "Asia/Seoul"});
        let answer = request.header("idempotency-key", name).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 201);
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
        fs::remove_file(data.join("views.db")).unwrap();
        let node = start(data).await;
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
