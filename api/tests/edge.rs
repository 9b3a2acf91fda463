//! The edge as a client meets it: a real node on a free port, real sockets, real keys. Bodies are
//! checked through an echo route behind the same way out. Business routes are not tested here.

#[cfg(test)]
mod edge {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, call_service, init_service, read_body_json};
    use actix_web::{HttpResponse, web};
    use holdfast_api::app::{App, Running};
    use holdfast_api::auth::mint::{Grant, mint};
    use holdfast_api::config::Config;
    use holdfast_api::config::sources::Sources;
    use holdfast_api::health::check::Check;
    use holdfast_api::http::finish::finish;
    use holdfast_api::http::json::Body;
    use holdfast_api::http::problem::Problem;
    use holdfast_api::state::State;
    use holdfast_api::wall_clock::unix_seconds;
    use holdfast_domain::actor::Role;
    use holdfast_domain::log::Pending;
    use reqwest::{Client, Method, Response};
    use serde::Deserialize;
    use serde_json::Value;
    use tempfile::TempDir;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    use tokio::runtime::Handle;

    struct Node {
        running: Running,
        client: Client,
        _data: TempDir,
    }

    fn config(data: &TempDir, settings: &[(&'static str, &str)]) -> Config {
        let mut flags: BTreeMap<_, _> =
            settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        flags.insert("data", data.path().display().to_string());
        flags.insert("listen", "127.0.0.1:0".to_owned());
        Config::load(&Sources { flags, ..Sources::default() }).unwrap()
    }

    async fn node(settings: &[(&'static str, &str)], checks: Vec<Arc<dyn Check>>) -> Node {
        let data = tempfile::tempdir().unwrap();
        let running = App::start_with(config(&data, settings), checks).await.unwrap();
        Node { running, client: Client::new(), _data: data }
    }

    impl Node {
        fn url(&self, path: &str) -> String {
            format!("http://{}{path}", self.running.address())
        }

        async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Response {
            let request = self.client.get(self.url(path));
            let request = headers
                .iter()
                .fold(request, |request, (name, value)| request.header(*name, *value));
            request.send().await.unwrap()
        }

        fn token(&self, role: Role) -> String {
            let state = self.running.state();
            let grant = Grant {
                tokens: &state.config.tokens,
                principal: "018f2a10-7c5e-7000-8000-000000000001".parse().unwrap(),
                roles: &[role],
                from: unix_seconds(),
                lifetime: Duration::from_mins(1),
            };
            mint(&state.keys.signing, &grant).unwrap()
        }

        /// Sends bytes as they are, and answers the first line of what comes back.
        async fn raw(&self, bytes: &[u8]) -> String {
            let mut stream = TcpStream::connect(self.running.address()).await.unwrap();
            stream.write_all(bytes).await.unwrap();
            let mut answer = [0; 512];
            let count = stream.read(&mut answer).await.unwrap();
            String::from_utf8_lossy(answer.get(..count).unwrap())
                .lines()
                .next()
                .unwrap_or("")
                .into()
        }
    }

    /// A problem document, judged in all that every one of them promises.
    async fn problem(response: Response, path: &str) -> (u16, String) {
        let status = response.status().as_u16();
        let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap());
        assert_eq!(header("content-type"), Some("application/problem+json"), "{path}");
        assert_eq!(header("x-content-type-options"), Some("nosniff"));
        assert_eq!(header("cache-control"), Some("no-store"));
        assert_eq!(header("server"), None);
        let request_id = header("x-request-id").unwrap().to_owned();
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["status"], status);
        assert_eq!(body["request_id"], request_id);
        assert_eq!(body["instance"], path);
        let code = body["code"].as_str().unwrap().to_owned();
        assert_eq!(body["type"], format!("/problems/{code}"));
        assert!(body["title"].is_string() && body["detail"].is_string());
        (status, code)
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Order {
        count: u32,
    }

    async fn echo(body: Body<Order>) -> Result<HttpResponse, Problem> {
        Ok(HttpResponse::Ok().json(body.value.count))
    }

    #[actix_web::test]
    async fn bodies_are_read_strictly() {
        let data = tempfile::tempdir().unwrap();
        let state =
            State::open(config(&data, &[]), Vec::new(), None, Handle::current()).await.unwrap();
        let app = actix_web::App::new()
            .app_data(web::Data::new(state))
            .route("/echo", web::post().to(echo))
            .wrap(from_fn(finish));
        let service = init_service(app).await;
        let json = "application/json";
        let padded =
            |size: usize| format!("{{\"count\":1{}}}", " ".repeat(size.saturating_sub(11)));
        let cases: Vec<(&str, Vec<u8>, u16, &str)> = vec![
            (json, b"{\"count\":1}".into(), 200, ""),
            ("application/json; charset=utf-8", b"{\"count\":1}".into(), 200, ""),
            ("Application/JSON", b"{\"count\":1}".into(), 200, ""),
            (json, padded(65_536).into(), 200, ""),
            (json, padded(65_537).into(), 413, "payload_too_large"),
            (json, b"".into(), 400, "malformed_json"),
            (json, b"{".into(), 400, "malformed_json"),
            (json, b"{\"count\":1}{}".into(), 400, "malformed_json"),
            (json, b"{\"count\":1,\"count\":2}".into(), 400, "duplicate_key"),
            (json, "[".repeat(60_000).into(), 400, "malformed_json"),
            (json, format!("{{\"a\":{}", "[".repeat(60_000)).into(), 400, "too_deep"),
            (json, b"{\"count\":1,\"owner_id\":1}".into(), 422, "invalid_body"),
            (json, b"{\"count\":\"1\"}".into(), 422, "invalid_body"),
            (json, b"{\"count\":1e400}".into(), 422, "invalid_body"),
            ("", b"{\"count\":1}".into(), 415, "unsupported_media_type"),
            ("text/plain", b"{\"count\":1}".into(), 415, "unsupported_media_type"),
            ("application/x-www-form-urlencoded", b"count=1".into(), 415, "unsupported_media_type"),
            ("application/json; charset=utf-16", b"{}".into(), 415, "unsupported_media_type"),
            ("nonsense", b"{}".into(), 415, "unsupported_media_type"),
        ];
        for (kind, body, status, code) in cases {
            let shown =
                String::from_utf8_lossy(body.get(..body.len().min(40)).unwrap()).into_owned();
            let mut request = TestRequest::post().uri("/echo").set_payload(body);
            if !kind.is_empty() {
                request = request.insert_header(("content-type", kind));
            }
            let response = call_service(&service, request.to_request()).await;
            assert_eq!(response.status(), status, "{kind}: {shown}");
            if status != 200 {
                let body: Value = read_body_json(response).await;
                assert_eq!(body["code"], code, "{kind}: {shown}");
            }
        }
        let compressed = TestRequest::post()
            .uri("/echo")
            .insert_header(("content-type", json))
            .insert_header(("content-encoding", "gzip"))
            .set_payload("{\"count\":1}");
        assert_eq!(call_service(&service, compressed.to_request()).await.status(), 415);
        let unknown = TestRequest::post()
            .uri("/echo")
            .insert_header(("content-type", json))
            .set_payload("{\"count\":1,\"status\":\"x\"}");
        let answer: Value =
            read_body_json(call_service(&service, unknown.to_request()).await).await;
        assert_eq!(answer["errors"][0]["pointer"], "/status");
        assert_eq!(answer["errors"][0]["code"], "unknown_field");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_token_is_needed_where_the_table_says_so() {
        let node = node(&[], Vec::new()).await;
        // What an operator sees on the machine itself, she sees from elsewhere with a token.
        let elsewhere = ("x-forwarded-for", "192.0.2.1");
        assert_eq!(node.get("/metrics", &[]).await.status(), 200);
        let (admin, customer) = (node.token(Role::Admin), node.token(Role::Customer));
        let (message, signature) =
            (admin.rsplit_once('.').unwrap().0, customer.rsplit_once('.').unwrap().1);
        let forged = format!("{message}.{signature}");
        for (authorization, status, code) in [
            (None, 401, "token_missing"),
            (Some(String::new()), 401, "token_malformed"),
            (Some("Basic YTpi".to_owned()), 401, "token_malformed"),
            (Some("Bearer x".to_owned()), 401, "token_malformed"),
            (Some(format!("Bearer {forged}")), 401, "token_signature"),
            (Some(format!("Bearer {customer}")), 403, "forbidden"),
        ] {
            let mut headers = vec![elsewhere];
            headers.extend(authorization.as_deref().map(|value| ("authorization", value)));
            let response = node.get("/metrics", &headers).await;
            let challenged = response.headers().contains_key("www-authenticate");
            assert_eq!(challenged, status == 401, "{authorization:?}");
            assert_eq!(problem(response, "/metrics").await, (status, code.to_owned()));
        }
        let bearer = format!("Bearer {admin}");
        let good = [elsewhere, ("authorization", bearer.as_str())];
        assert_eq!(node.get("/metrics", &good).await.status(), 200);
        let twice = [good.as_slice(), &[("authorization", bearer.as_str())]].concat();
        assert_eq!(node.get("/metrics", &twice).await.status(), 401);
        let in_query = node.get(&format!("/metrics?access_token={admin}"), &[elsewhere]).await;
        assert_eq!(in_query.status(), 401);
        assert!(node.running.stop().await);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_foreign_issuers_tokens_are_believed_and_nobody_elses() {
        let issuer = node(&[], Vec::new()).await;
        let keys = issuer.url("/.well-known/jwks.json");
        let node = node(&[("jwks-url", keys.as_str())], Vec::new()).await;
        for (signer, status) in [(&issuer, 200), (&node, 401), (&issuer, 200)] {
            let bearer = format!("Bearer {}", signer.token(Role::Admin));
            let headers = [("x-forwarded-for", "192.0.2.1"), ("authorization", bearer.as_str())];
            assert_eq!(node.get("/metrics", &headers).await.status(), status);
        }
        let scraped = issuer.get("/metrics", &[]).await.text().await.unwrap();
        let fetched = "route=\"/.well-known/jwks.json\",method=\"GET\",status=\"200\"} 1\n";
        assert!(scraped.contains(fetched), "an unknown key is not worth a second fetch: {scraped}");
        assert!(issuer.running.stop().await);
        assert!(node.running.stop().await);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn without_the_issuers_keys_nobody_is_believed() {
        let node = node(&[("jwks-url", "http://127.0.0.1:1/keys")], Vec::new()).await;
        let bearer = format!("Bearer {}", node.token(Role::Admin));
        let headers = [("x-forwarded-for", "192.0.2.1"), ("authorization", bearer.as_str())];
        let response = node.get("/metrics", &headers).await;
        let expected = (503, "token_keys_unavailable".to_owned());
        assert_eq!(problem(response, "/metrics").await, expected);
        assert!(node.running.stop().await);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_the_table_does_not_name_does_not_exist() {
        let node = node(&[], Vec::new()).await;
        for path in
            ["/v1", "/v1/nothing", "/metrics/", "//metrics", "/Metrics", "/problems/nothing"]
        {
            let response = node.get(path, &[]).await;
            assert_eq!(problem(response, path).await, (404, "not_found".to_owned()), "{path}");
        }
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::TRACE, Method::PATCH] {
            let request = node.client.request(method.clone(), node.url("/health/live"));
            let request = request.header("x-http-method-override", "GET");
            let response = request.send().await.unwrap();
            assert_eq!(response.headers().get("allow").unwrap(), "GET", "{method}");
            let expected = (405, "method_not_allowed".to_owned());
            assert_eq!(problem(response, "/health/live").await, expected);
        }
        assert!(node.running.stop().await);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn public_pages_are_served_without_a_network() {
        let node = node(&[], Vec::new()).await;
        let keys: Value = node.get("/.well-known/jwks.json", &[]).await.json().await.unwrap();
        assert_eq!(keys["keys"][0]["alg"], "RS256");
        let description: Value = node.get("/openapi.json", &[]).await.json().await.unwrap();
        assert_eq!(description["info"]["title"], "Holdfast");
        let page = node.get("/docs", &[]).await;
        let policy = page.headers().get("content-security-policy").unwrap().to_str().unwrap();
        assert!(policy.starts_with("default-src 'self'"), "{policy}");
        assert!(page.text().await.unwrap().contains("swagger-ui"));
        let html = node.get("/problems/slot_taken", &[]).await.text().await.unwrap();
        assert!(html.contains("<h1>The time is taken</h1>"));
        let accept = [("accept", "application/json")];
        let json: Value = node.get("/problems/slot_taken", &accept).await.json().await.unwrap();
        assert_eq!(json["status"], 409);
        assert!(node.running.stop().await);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn one_request_too_many_is_told_when_to_come_back() {
        let node = node(&[("address-rate", "3/60s")], Vec::new()).await;
        for left in ["2", "1", "0"] {
            // Nobody told the node to believe this header, so it makes no new caller.
            let response = node.get("/problems", &[("x-forwarded-for", left)]).await;
            assert_eq!(response.headers().get("ratelimit-remaining").unwrap(), left);
        }
        let refused = node.get("/problems", &[]).await;
        let header = |name: &str| refused.headers().get(name).unwrap().to_str().unwrap().to_owned();
        assert!((1..=20).contains(&header("retry-after").parse::<u64>().unwrap()));
        assert_eq!(header("ratelimit-limit"), "3");
        assert_eq!(problem(refused, "/problems").await, (429, "rate_limited".to_owned()));
        assert_eq!(node.get("/health/live", &[]).await.status(), 200, "probes are not counted");
        assert!(node.running.stop().await);
    }

    #[derive(Debug)]
    struct Part(Result<&'static str, &'static str>);

    impl Check for Part {
        fn name(&self) -> &'static str {
            "part"
        }

        fn check(&self) -> Pending<'_, Result<String, String>> {
            let said = self.0.map(str::to_owned).map_err(str::to_owned);
            Box::pin(async move { said })
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn one_part_that_fails_makes_the_node_not_ready() {
        let node = node(&[], vec![Arc::new(Part(Ok("good"))), Arc::new(Part(Err("behind")))]).await;
        let response = node.get("/health/ready", &[]).await;
        assert_eq!(response.status(), 503);
        let health: Value = response.json().await.unwrap();
        assert_eq!(health["checks"][0]["ok"], true);
        assert_eq!(health["checks"][1]["detail"], "behind");
        assert_eq!(node.get("/health/live", &[]).await.status(), 200);
        assert!(node.running.stop().await);
    }

    #[derive(Debug)]
    struct Silent;

    impl Check for Silent {
        fn name(&self) -> &'static str {
            "silent"
        }

        fn check(&self) -> Pending<'_, Result<String, String>> {
            Box::pin(std::future::pending())
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_answer_that_does_not_come_is_a_problem_like_any_other() {
        let node = node(&[("handler-seconds-max", "1")], vec![Arc::new(Silent)]).await;
        let response = node.get("/health/ready", &[]).await;
        assert_eq!(response.headers().get("retry-after").unwrap(), "1");
        assert_eq!(problem(response, "/health/ready").await, (503, "timeout".to_owned()));
        assert!(node.running.stop().await);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn heads_that_are_no_http_are_refused_before_anything_else() {
        let node = node(&[], Vec::new()).await;
        let long = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "a".repeat(1 << 20));
        let many = format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "a: b\r\n".repeat(200));
        for head in [
            "nonsense\r\n\r\n",
            "POST /problems HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n",
            "POST /problems HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
            "POST /problems HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            &many,
        ] {
            let line = node.raw(head.as_bytes()).await;
            assert!(line.starts_with("HTTP/1.1 4"), "{line}: {head:.80}");
        }
        let mut stream = TcpStream::connect(node.running.address()).await.unwrap();
        // The node may close while we still write: either way it does not keep what it got.
        let written = stream.write_all(long.as_bytes()).await;
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer).await;
        let refused = String::from_utf8_lossy(&answer).starts_with("HTTP/1.1 4");
        assert!(refused || written.is_err() || read.is_err());
        assert_eq!(node.get("/health/live", &[]).await.status(), 200);
        assert!(node.running.stop().await);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn only_configured_origins_may_read_answers_also_refusals() {
        let node = node(&[("cors-origins", "https://shop.example")], Vec::new()).await;
        let name = "access-control-allow-origin";
        for path in ["/problems", "/nowhere"] {
            let ours = node.get(path, &[("origin", "https://shop.example")]).await;
            assert_eq!(ours.headers().get(name).unwrap(), "https://shop.example", "{path}");
            let other = node.get(path, &[("origin", "https://evil.example")]).await;
            assert!(!other.headers().contains_key(name), "{path}");
        }
        assert!(node.running.stop().await);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_node_stops_soon_although_a_client_keeps_its_connection() {
        let node = node(&[], Vec::new()).await;
        let mut idle = TcpStream::connect(node.running.address()).await.unwrap();
        idle.write_all(b"GET /health/live HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let mut answer = [0; 64];
        assert!(idle.read(&mut answer).await.unwrap() > 0);
        let (address, started) = (node.running.address(), Instant::now());
        assert!(node.running.stop().await);
        assert!(started.elapsed() < Duration::from_secs(10));
        assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
    }
}
