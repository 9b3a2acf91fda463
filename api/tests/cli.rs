//! The command line as a person meets it: the real binary on a real data folder, judged by what it
//! prints and by its exit code. One node is started and filled once; each test works on a copy.

#[cfg(test)]
mod cli {
    use std::collections::{BTreeMap, BTreeSet};
    use std::fs;
    use std::io::{BufRead as _, BufReader};
    use std::path::Path;
    use std::process::{Command, Output, Stdio};
    use std::sync::LazyLock;

    use serde_json::Value;
    use tempfile::TempDir;

    const BINARY: &str = env!("CARGO_BIN_EXE_holdfast");

    /// A data folder that a node has filled and left.
    static FILLED: LazyLock<TempDir> = LazyLock::new(|| {
        let data = tempfile::tempdir().unwrap();
        let folder = data.path().to_str().unwrap();
        let mut node = Command::new(BINARY)
            .args(["serve", "--listen", "127.0.0.1:0", "--data", folder])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(node.stderr.take().unwrap()).lines();
        let url = lines
            .by_ref()
            .find_map(|line| Some(format!("http://{}", line.unwrap().split_once("http://")?.1)))
            .expect("the node says where it listens");
        let seeded = run(data.path(), &["seed-demo", "--url", &url, "--scale", "32"]);
        assert_eq!(code(&seeded), 0, "{}", told(&seeded));
        let again = run(data.path(), &["seed-demo", "--url", &url, "--scale", "32"]);
        let asked = [&seeded, &again].map(tally);
        assert_eq!(asked[0], asked[1], "the same seed asks for the same things");
        // A node may serve while somebody looks.
        assert_eq!(code(&run(data.path(), &["audit", "verify"])), 0);
        assert_eq!(code(&run(data.path(), &["projections", "rebuild", "due"])), 0);
        let in_use = run(data.path(), &["migrate", "up"]);
        assert_eq!(code(&in_use), 4, "{}", told(&in_use));
        let second = run(data.path(), &["serve", "--listen", "127.0.0.1:0"]);
        assert_eq!(code(&second), 4, "the same trouble, the same code: {}", told(&second));
        let asked = Command::new("kill").args(["-TERM", &node.id().to_string()]).status().unwrap();
        assert!(asked.success());
        // Reading to the end keeps the pipe from filling up.
        let rest: Vec<_> = lines.map_while(Result::ok).collect();
        assert!(node.wait().unwrap().success(), "{}", rest.join("\n"));
        data
    });

    /// What a seed has told, line by line. A payment whose answer was lost may be found out between
    /// two seeds, so its booking counts as one that is confirmed.
    fn tally(output: &Output) -> BTreeMap<String, u64> {
        let mut tally = BTreeMap::new();
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let (count, what) = line.trim_start().split_once("  ").unwrap();
            let found_out = what == "payment: checking";
            let what = if found_out { "bookings confirmed" } else { what };
            let sum: &mut u64 = tally.entry(what.to_owned()).or_default();
            *sum = sum.checked_add(count.parse().unwrap()).unwrap();
        }
        tally
    }

    fn filled() -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        for file in ["log.db", "views.db"] {
            fs::copy(FILLED.path().join(file), copy.path().join(file)).unwrap();
        }
        copy
    }

    fn run(data: &Path, arguments: &[&str]) -> Output {
        Command::new(BINARY)
            .args(arguments)
            .args(["--data", data.to_str().unwrap()])
            .env_remove("HOLDFAST_DATA")
            .output()
            .unwrap()
    }

    fn code(output: &Output) -> i32 {
        output.status.code().unwrap()
    }

    fn told(output: &Output) -> String {
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    fn json(output: &Output) -> Value {
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn lines(output: &Output) -> Vec<Value> {
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn verify(data: &Path, more: &[&str]) -> (i32, Value) {
        let output = run(data, &[&["audit", "verify", "-o", "json"], more].concat());
        (code(&output), json(&output))
    }

    /// Changes a text wherever it stands in a file: pages of a store also hold what is long gone.
    fn change(file: &Path, from: &str, to: &str) {
        let mut bytes = fs::read(file).unwrap();
        let places = bytes.windows(from.len()).enumerate();
        let places = places.filter(|(_, part)| *part == from.as_bytes()).map(|(at, _)| at);
        let places: Vec<_> = places.collect();
        assert!(!places.is_empty(), "{from} stands nowhere");
        for at in places {
            bytes.splice(at..from.len().checked_add(at).unwrap(), to.bytes());
        }
        fs::write(file, bytes).unwrap();
    }

    #[test]
    fn a_sound_log_is_verified_and_its_head_is_found_again() {
        let data = filled();
        let (exit, verdict) = verify(data.path(), &[]);
        assert_eq!((exit, &verdict["ok"]), (0, &Value::Bool(true)));
        assert!(verdict["events"].as_u64().unwrap() > 100, "{verdict}");
        let head = &verdict["head"];
        let head = format!("{}:{}", head["position"], head["hash"].as_str().unwrap());
        let (exit, verdict) = verify(data.path(), &["--head", &head]);
        assert_eq!((exit, &verdict["heads_found"]), (0, &Value::from(1)));
        let position = head.split_once(':').unwrap().0;
        let wrong = format!("{position}:{}", "0".repeat(64));
        assert_eq!(verify(data.path(), &["--head", &wrong]).0, 3);
        assert_eq!(verify(data.path(), &["--head", &format!("99999{head}")]).0, 3);
    }

    #[test]
    fn a_changed_byte_in_the_log_is_found_with_its_place() {
        let data = filled();
        // The name of an event stands in no other table; its payload also stands in an answer.
        change(&data.path().join("log.db"), "resource.registered", "resource.registereD");
        let (exit, verdict) = verify(data.path(), &[]);
        assert_eq!((exit, &verdict["ok"]), (3, &Value::Bool(false)));
        let failure = &verdict["failure"];
        assert!(failure["stream"].as_str().unwrap().starts_with("resource-"), "{failure}");
        assert_eq!((&failure["position"], &failure["revision"]), (&1.into(), &0.into()));
        assert_ne!(failure["expected"], failure["found"]);
    }

    #[test]
    fn an_export_verifies_and_a_changed_byte_in_it_does_not() {
        let data = filled();
        let file = data.path().join("log.ndjson");
        let name = file.to_str().unwrap();
        let export = |more: &[&str]| {
            run(data.path(), &[&["events", "export", "--out", name], more].concat())
        };
        assert_eq!(code(&export(&[])), 0);
        assert_eq!(code(&export(&[])), 4, "a file that is there is not written over");
        let (exit, of_export) = verify(data.path(), &["--export", name]);
        assert_eq!((exit, of_export), verify(data.path(), &[]));
        let whole = fs::read(&file).unwrap();
        fs::write(&file, &whole[..whole.len() / 2]).unwrap();
        assert_eq!(verify(data.path(), &["--export", name]).0, 3, "a cut export is no export");
        assert_eq!(code(&export(&["--resume"])), 0);
        assert_eq!(fs::read(&file).unwrap(), whole, "a resumed export is the whole one");
        change(&file, "Mina", "Nina");
        let (exit, verdict) = verify(data.path(), &["--export", name]);
        assert_eq!((exit, &verdict["failure"]["position"]), (3, &Value::from(1)));
    }

    #[test]
    fn a_part_of_an_export_is_no_broken_log_but_verifies_only_after_the_parts_before_it() {
        let data = filled();
        let (whole, late) = (data.path().join("whole"), data.path().join("late"));
        let export = |file: &Path, more: &[&str]| {
            let out = ["events", "export", "--out", file.to_str().unwrap()];
            run(data.path(), &[&out[..], more].concat())
        };
        assert_eq!(code(&export(&whole, &[])), 0);
        assert_eq!(code(&export(&late, &["--from", "50"])), 0);
        let (whole, part) = (fs::read(&whole).unwrap(), fs::read(&late).unwrap());
        assert!(part.len() < whole.len() && whole.ends_with(&part));
        let late = late.to_str().unwrap();
        let refused = run(data.path(), &["audit", "verify", "--export", late]);
        assert_eq!(code(&refused), 4, "{}", told(&refused));
        assert!(told(&refused).contains("parts before it") && refused.stdout.is_empty());
        let early = data.path().join("early");
        fs::write(&early, &whole[..whole.len() - part.len()]).unwrap();
        let both = ["--export", early.to_str().unwrap(), "--export", late];
        assert_eq!(verify(data.path(), &both), verify(data.path(), &[]));
    }

    #[test]
    fn an_export_without_a_whole_commit_is_not_gone_on_with() {
        let data = filled();
        let file = data.path().join("empty.ndjson");
        fs::write(&file, "").unwrap();
        let export = ["events", "export", "--out", file.to_str().unwrap(), "--resume"];
        let resumed = run(data.path(), &export);
        assert_eq!(code(&resumed), 4, "{}", told(&resumed));
        assert_eq!(fs::read(&file).unwrap(), b"", "where it was to begin stands nowhere in it");
    }

    #[test]
    fn a_token_signed_with_a_new_key_says_so() {
        let data = tempfile::tempdir().unwrap();
        let token = ["token", "--sub", "018f2a10-7c5e-7000-8000-000000000001", "--role", "admin"];
        let first = run(data.path(), &token);
        let keys = data.path().join("keys").display().to_string();
        assert!(told(&first).contains(&keys), "{}", told(&first));
        assert_eq!(String::from_utf8(first.stdout).unwrap().lines().count(), 1);
        assert_eq!(told(&run(data.path(), &token)), "");
    }

    #[test]
    fn an_export_of_another_log_is_not_gone_on_with() {
        let (data, other) = (filled(), filled());
        let file = data.path().join("log.ndjson");
        let export = ["events", "export", "--out", file.to_str().unwrap()];
        assert_eq!(code(&run(data.path(), &export)), 0);
        let text = fs::read_to_string(&file).unwrap();
        let last = text.trim_end().rsplit_once(":\"").unwrap().1.trim_end_matches(['"', '}']);
        fs::write(&file, text.replace(last, &"0".repeat(64))).unwrap();
        let resumed = run(other.path(), &[&export[..], &["--resume"]].concat());
        assert_eq!(code(&resumed), 4, "{}", told(&resumed));
    }

    #[test]
    fn events_are_shown_by_stream_and_from_the_end() {
        let data = filled();
        let last = lines(&run(data.path(), &["events", "tail", "-n", "3", "-o", "jsonl"]));
        assert_eq!(last.len(), 3);
        let payments = ["events", "tail", "--from", "start", "--type", "payment.", "-o", "jsonl"];
        let payments = lines(&run(data.path(), &payments));
        assert!(!payments.is_empty());
        assert!(payments.iter().all(|it| it["name"].as_str().unwrap().starts_with("payment.")));
        let stream = payments[0]["stream"].as_str().unwrap();
        let events = json(&run(data.path(), &["events", "stream", stream, "-o", "json"]));
        let revisions: Vec<_> =
            events.as_array().unwrap().iter().map(|it| it["revision"].as_u64().unwrap()).collect();
        assert!(revisions.iter().copied().eq(0..u64::try_from(revisions.len()).unwrap()));
        let absent = ["events", "stream", "payment-018f2a10-7c5e-7000-8000-000000000001"];
        assert_eq!(code(&run(data.path(), &absent)), 4);
        assert_eq!(code(&run(data.path(), &["events", "tail", "-f", "-o", "json"])), 2);
    }

    #[test]
    fn a_replay_shows_then_and_what_is_different_now() {
        let data = filled();
        let cancelled =
            ["events", "tail", "-n", "1", "--type", "reservation.cancelled", "-o", "jsonl"];
        let cancelled = lines(&run(data.path(), &cancelled)).remove(0);
        let reservation = cancelled["stream"].as_str().unwrap().split_once('-').unwrap().1;
        let before = (cancelled["position"].as_u64().unwrap() - 1).to_string();
        let arguments = ["replay", "--as-of", &before, "--reservation", reservation];
        let arguments = [&arguments[..], &["--diff", "now", "-o", "json"]].concat();
        let folded = json(&run(data.path(), &arguments));
        assert_eq!(folded[0]["state"]["status"], "confirmed");
        let different = folded[0]["now"]["different"].as_array().unwrap();
        let status = different.iter().find(|it| it["path"] == "status").unwrap();
        assert_eq!((&status["then"], &status["now"]), (&"confirmed".into(), &"cancelled".into()));
        assert!(folded.as_array().unwrap().len() > 1, "its payment and its seat belong to it");
    }

    #[test]
    fn a_replay_of_the_views_to_the_head_is_the_same_as_that_of_now() {
        let data = filled();
        let replay = |as_of: &str| {
            json(&run(data.path(), &["replay", "--as-of", as_of, "--diff", "now", "-o", "json"]))
        };
        let (early, late) = (replay("20"), replay("9999-01-01T00:00:00Z"));
        assert_eq!(late["position"], late["now"]);
        let hashes = |replay: &Value, which: &str| -> Vec<Value> {
            let views = replay["views"].as_array().unwrap();
            views.iter().map(|view| view.pointer(which).unwrap().clone()).collect()
        };
        assert_eq!(hashes(&late, "/sha256"), hashes(&late, "/now/sha256"));
        assert_eq!(hashes(&early, "/now/sha256"), hashes(&late, "/sha256"));
        assert_ne!(hashes(&early, "/sha256"), hashes(&late, "/sha256"));
    }

    #[test]
    fn a_view_is_rebuilt_compared_switched_taken_back_and_dropped() {
        let data = filled();
        let projections =
            |arguments: &[&str]| code(&run(data.path(), &[&["projections"], arguments].concat()));
        let states = || -> Vec<(u64, String)> {
            let rows = json(&run(data.path(), &["projections", "list", "-o", "json"]));
            let rows = rows.as_array().unwrap().iter();
            let rows = rows.filter(|row| row["view"] == "reservations");
            rows.map(|row| {
                let state = row["state"].as_str().unwrap().to_owned();
                (row["generation"].as_u64().unwrap(), state)
            })
            .collect()
        };
        let known = states();
        assert_eq!(projections(&["switch", "reservations"]), 4, "there is nothing to switch to");
        assert_eq!(projections(&["rebuild", "reservations"]), 0);
        assert_eq!(projections(&["compare", "reservations"]), 0);
        assert_eq!(projections(&["switch", "reservations", "--dry-run"]), 0);
        assert_eq!(projections(&["switch", "reservations"]), 4, "not without consent");
        assert_eq!(states()[1].1, "building", "a plan changes nothing");
        assert_eq!(projections(&["switch", "reservations", "--yes"]), 0);
        assert_eq!((states()[0].1.as_str(), states()[1].1.as_str()), ("retired", "active"));
        assert_eq!(projections(&["undo", "reservations", "--yes"]), 0);
        assert_eq!((states()[0].1.as_str(), states()[1].1.as_str()), ("active", "retired"));
        assert_eq!(projections(&["drop", "reservations", "--yes"]), 0);
        assert_eq!(states(), known);
        assert_eq!(projections(&["rebuild", "nothing"]), 2);
    }

    #[test]
    fn migrations_are_pending_in_an_empty_folder_and_made_by_up() {
        let data = tempfile::tempdir().unwrap();
        let states = |arguments: &[&str]| -> Vec<Value> {
            let rows = lines(&run(data.path(), &[arguments, &["-o", "jsonl"]].concat()));
            rows.iter().map(|row| row["state"].clone()).collect()
        };
        assert!(states(&["migrate", "status"]).iter().all(|state| state == "pending"));
        assert!(fs::read_dir(data.path()).unwrap().next().is_none(), "to look makes nothing");
        assert!(states(&["migrate", "up"]).iter().all(|state| state == "applied"));
        assert!(states(&["migrate", "plan"]).is_empty());
        assert_eq!(verify(data.path(), &[]).0, 0, "an empty log holds");
    }

    #[test]
    fn what_is_not_there_is_unavailable_and_nothing_is_made() {
        let data = tempfile::tempdir().unwrap();
        for arguments in [
            &["audit", "verify"][..],
            &["audit", "verify", "--export", "/nonexistent"],
            &["events", "tail"],
            &["replay", "--as-of", "1"],
            &["projections", "list"],
        ] {
            assert_eq!(code(&run(data.path(), arguments)), 5, "{arguments:?}");
        }
        let no_keys = run(data.path(), &["seed-demo", "--url", "http://127.0.0.1:9"]);
        assert_eq!(code(&no_keys), 4, "{}", told(&no_keys));
        assert!(told(&no_keys).contains("serve --data"));
        assert!(fs::read_dir(data.path()).unwrap().next().is_none());
    }

    #[test]
    fn wrong_usage_is_told_apart_from_failure() {
        let data = tempfile::tempdir().unwrap();
        for arguments in [
            &["audit", "verify", "--head", "x"][..],
            &["audit", "verify", "--log-url", "memory:"],
            &["config", "check", "--log", "holdfast=loud"],
            &["config", "check", "--data", BINARY],
            &["replay", "--as-of", "yesterday"],
            &["seed-demo", "--scale", "0"],
            &["seed-demo", "--live", "1000x"],
            &["projections", "switch", "due", "--yes", "--dry-run"],
            &["events", "stream", "nonsense"],
        ] {
            assert_eq!(code(&run(data.path(), arguments)), 2, "{arguments:?}");
        }
    }

    #[test]
    fn a_node_of_another_log_is_refused_with_both_epochs_and_what_to_set() {
        let (views, own) = (filled(), tempfile::tempdir().unwrap());
        let read = format!("sqlite:{}", views.path().display());
        let refused = run(own.path(), &["serve", "--listen", "127.0.0.1:0", "--read-url", &read]);
        let why = told(&refused);
        assert_eq!(code(&refused), 4, "{why}");
        let line = why.lines().find(|line| line.contains("do not belong together")).unwrap();
        let words = line.split([' ', ',', ':', '.']);
        let epochs: BTreeSet<_> = words.filter(|word| word.len() == 36).collect();
        assert_eq!(epochs.len(), 2, "{line}");
        assert!(line.contains("HOLDFAST_LOG_URL") && line.contains("HOLDFAST_READ_URL"), "{line}");
        assert!(!why.contains("ready in"), "it serves nothing: {why}");
    }

    #[test]
    fn a_variable_that_nobody_reads_is_refused_with_its_neighbour() {
        let data = tempfile::tempdir().unwrap();
        for words in [&["serve"][..], &["config", "check"], &["config", "show"]] {
            let mut command = Command::new(BINARY);
            command.args(words).args(["--data", data.path().to_str().unwrap()]);
            let refused = command.env("HOLDFAST_LOGURL", "postgres://x").output().unwrap();
            assert_eq!(code(&refused), 2, "{words:?}");
            assert!(told(&refused).contains("did you mean `HOLDFAST_LOG_URL`?"), "{words:?}");
        }
    }

    #[test]
    fn a_folder_that_cannot_be_used_is_unavailable_to_every_command() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for arguments in [&["serve", "--listen", "127.0.0.1:0"][..], &["migrate", "up"]] {
            let refused = run(file.path(), arguments);
            assert_eq!(code(&refused), 5, "{arguments:?}: {}", told(&refused));
        }
    }

    #[test]
    fn an_error_says_what_would_have_been_right() {
        let data = tempfile::tempdir().unwrap();
        for (arguments, hint) in [
            (&["events", "stream", "nonsense"][..], "reservation-018f2a10"),
            (&["serve", "--listen", "here"], "127.0.0.1:8080"),
            (&["projections", "rebuild", "nothing"], "reservations, payments"),
            (&["token", "--sub", "x", "--role", "admin"], "UUID"),
            (&["log", "epoch"], "holdfast serve"),
        ] {
            let refused = run(data.path(), arguments);
            assert!(told(&refused).contains(hint), "{arguments:?}: {}", told(&refused));
        }
    }
}
