//! The catalogue as pages: HTML for people, JSON for programs, and the Markdown file of the
//! documentation. Texts come from the catalogue only; nothing a caller sent is shown.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Code, Entry};

/// Where the page of a code stands.
pub fn path(code: Code) -> String {
    format!("/problems/{}", code.entry().code)
}

/// The whole catalogue for programs.
pub fn index_json() -> Value {
    Value::Array(Code::ALL.iter().map(|code| code_json(*code)).collect())
}

/// One code for programs.
pub fn code_json(code: Code) -> Value {
    let Entry { code: name, status, title, meaning, next } = code.entry();
    json!({
        "type": path(code), "code": name, "status": status,
        "title": title, "meaning": meaning, "next": next,
    })
}

/// The whole catalogue for people.
pub fn index_html() -> String {
    // Writing to a string cannot fail.
    let mut rows = String::new();
    for code in Code::ALL {
        let entry = code.entry();
        let _ = writeln!(
            rows,
            "<tr><td>{}</td><td><a href=\"{}\"><code>{}</code></a></td><td>{}</td></tr>",
            entry.status,
            path(*code),
            entry.code,
            escape(entry.title),
        );
    }
    let head = "<tr><th>Status</th><th>Code</th><th>Title</th></tr>";
    page("Problems", &format!("<h1>Problems</h1>\n<table>\n{head}\n{rows}</table>"))
}

/// One code for people.
pub fn code_html(code: Code) -> String {
    let entry = code.entry();
    let body = format!(
        "<p><a href=\"/problems\">Problems</a></p>\n<h1>{title}</h1>\n\
         <p><code>{code}</code>, status {status}</p>\n\
         <h2>What it means</h2>\n<p>{meaning}</p>\n<h2>What to do next</h2>\n<p>{next}</p>",
        title = escape(entry.title),
        code = entry.code,
        status = entry.status,
        meaning = escape(entry.meaning),
        next = escape(entry.next),
    );
    page(entry.code, &body)
}

/// The file of the documentation.
pub fn markdown() -> String {
    let mut text = String::from(
        "# Problems\n\nEvery error is an RFC 9457 document of type `application/problem+json` \
         with `type`, `title`, `status`, `detail`, `code`, `instance` and `request_id`. The code \
         is stable; the texts are not. Where fields of a body are at fault, `errors` lists them, \
         each with a JSON pointer and a code. \
         Heads that are not HTTP are answered before routing, with a bare 400 or 431, and the \
         connection is closed.\n\nThis file is generated from the catalogue in \
         `api/src/problems/catalogue.rs` by `holdfast docs problems`.\n\n\
         | status | code | means | what to do next |\n| --- | --- | --- | --- |\n",
    );
    for code in Code::ALL {
        let Entry { code, status, meaning, next, .. } = code.entry();
        let _ = writeln!(text, "| {status} | `{code}` | {meaning} | {next} |");
    }
    text
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title} - Holdfast</title>\
         </head>\n<body>\n{body}\n</body>\n</html>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/api/problems.md");

    #[test]
    fn the_committed_documentation_is_the_catalogue() {
        let committed = std::fs::read_to_string(COMMITTED).unwrap();
        assert!(committed == markdown(), "run `holdfast docs problems > docs/api/problems.md`");
    }

    #[test]
    fn a_page_says_what_to_do_next() {
        let html = code_html(Code::SlotTaken);
        assert!(html.contains("slot_taken") && html.contains("Choose another start"));
        assert!(index_html().contains("/problems/hold_expired"));
        assert_eq!(code_json(Code::SlotTaken)["status"], 409);
    }
}
