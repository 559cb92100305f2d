use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::header::{HeaderMap, HeaderValue};
use axum::http::{Method, Request, StatusCode};
use axum::response::Response;
use conclave_commit_rules::{Constitution, Jurisdiction, Mode};
use conclave_model::MeetingId;
use conclave_store::Store as _;
use conclave_wire::{CameraCodec, MeetingInfo, ServerInfo};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::server::{Server, media_shard, soon, token};

impl Server {
    async fn ask(&self, request: Request<Body>) -> (StatusCode, HeaderMap, Vec<u8>) {
        let response: Response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        (parts.status, parts.headers, body.to_vec())
    }

    async fn get(&self, path: &str) -> (StatusCode, HeaderMap, Vec<u8>) {
        self.ask(Request::get(path).body(Body::empty()).unwrap()).await
    }

    async fn create(&self, body: impl Into<Body>) -> (StatusCode, HeaderMap, Vec<u8>) {
        let request = Request::post("/api/v1/meetings").header("content-type", "application/json");
        self.ask(request.body(body.into()).unwrap()).await
    }

    async fn find(&self, id: &str, token: &str) -> (StatusCode, HeaderMap, Vec<u8>) {
        let request = Request::get(format!("/api/v1/meetings/{id}"))
            .header("authorization", format!("Bearer {token}"));
        self.ask(request.body(Body::empty()).unwrap()).await
    }
}

/// A meeting of this server.
fn new_meeting(server: &Server) -> Value {
    let policy = constitution(server).encode().unwrap();
    json!({
        "id": MeetingId::from_bytes(ID).expose(),
        // SHA-256 of 32 bytes of value 1.
        "tokenHash": "cs1uhCLEB_ttCYaQ8RMLfe1-wvf14dML2dUh8BU2N5M",
        "sealedTitle": "AQID",
        "policy": policy,
    })
}

fn constitution(server: &Server) -> Constitution {
    Constitution { meeting: ID, ..server.constitution(0, Mode::Lobby) }
}

const ID: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/// Checks that a refusal is a problem (RFC 9457) with this status and code.
fn assert_problem(answer: &(StatusCode, HeaderMap, Vec<u8>), status: u16, code: &str) {
    let (got, headers, body) = answer;
    let body: Value = serde_json::from_slice(body).expect("JSON");
    assert_eq!(got.as_u16(), status, "{body}");
    assert_eq!(headers["content-type"], "application/problem+json");
    assert_eq!(headers["cache-control"], "no-store");
    assert_eq!(body["status"], status);
    assert_eq!(body["code"], code);
    assert!(body["title"].is_string() && body["detail"].is_string() && body["type"].is_string());
}

#[tokio::test]
async fn a_meeting_is_created_and_found_by_who_holds_its_link() {
    let server = Server::new().await;

    let (status, headers, _) = server.create(new_meeting(&server).to_string()).await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(headers["location"], "/api/v1/meetings/AAECAwQFBgcICQoLDA0ODw");

    let (status, headers, body) = server.find("AAECAwQFBgcICQoLDA0ODw", &token(1)).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(headers["cache-control"], "no-store");
    let info: MeetingInfo = serde_json::from_slice(&body).unwrap();
    assert_eq!(info.policy, constitution(&server).encode().unwrap());
    assert_eq!(info.sealed_title.as_bytes(), [1, 2, 3]);
    assert_eq!(info.camera_codec, CameraCodec::Vp9, "as the server is told");
    assert_eq!(info.participants, 0);
}

#[tokio::test]
async fn a_meeting_that_nobody_enters_is_forgotten_in_time() {
    let server = Server::new().await;
    let old = server.meeting(1).await;
    server.create(new_meeting(&server).to_string()).await;

    let calls = server.calls.clone();
    tokio::spawn(async move { calls.keep_house().await });
    soon(async {
        while server.store.meeting(old).await.unwrap().is_some() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;

    assert_eq!(server.find("AAECAwQFBgcICQoLDA0ODw", &token(1)).await.0, StatusCode::OK);
}

#[tokio::test]
async fn an_id_that_is_taken_is_a_conflict() {
    let server = Server::new().await;
    server.create(new_meeting(&server).to_string()).await;

    let answer = server.create(new_meeting(&server).to_string()).await;

    assert_problem(&answer, 409, "meetingExists");
}

#[tokio::test]
async fn an_unknown_meeting_and_a_wrong_token_get_the_same_answer() {
    let server = Server::new().await;
    server.create(new_meeting(&server).to_string()).await;

    let unknown = server.find("AAECAwQFBgcICQoLDA0OAA", &token(1)).await;
    let wrong = server.find("AAECAwQFBgcICQoLDA0ODw", &token(2)).await;
    let malformed = server.find("not-an-id", &token(1)).await;
    let unreadable = server.find("%ff", &token(1)).await;

    assert_problem(&unknown, 404, "unknownMeeting");
    assert_eq!(unknown, wrong);
    assert_eq!(unknown, malformed);
    assert_eq!(unknown, unreadable);
}

#[tokio::test]
async fn a_question_without_a_token_is_unauthorised_whether_or_not_the_meeting_exists() {
    let server = Server::new().await;
    server.create(new_meeting(&server).to_string()).await;

    for id in ["AAECAwQFBgcICQoLDA0ODw", "AAECAwQFBgcICQoLDA0OAA"] {
        let answer = server.get(&format!("/api/v1/meetings/{id}")).await;
        assert_problem(&answer, 401, "tokenMissing");
        assert_eq!(answer.1["www-authenticate"], "Bearer");
        assert_problem(&server.find(id, "short").await, 401, "tokenMissing");
    }
}

#[tokio::test]
async fn a_body_that_is_not_a_meeting_is_refused_with_its_cause() {
    let server = Server::new().await;
    let change = |key: &str, value: Value| {
        let mut body = new_meeting(&server);
        body[key] = value;
        body.to_string()
    };
    let cases = [
        ("not JSON", "{".to_owned()),
        ("an id that is none", change("id", json!("short"))),
        ("a digest that is none", change("tokenHash", json!("short"))),
        ("a title that is no base64url", change("sealedTitle", json!("!!"))),
        ("an unknown field", change("secret", json!("x"))),
    ];

    for (name, body) in cases {
        // A server each: creating is limited.
        let answer = Server::new().await.create(body).await;
        assert!([400, 422].contains(&answer.0.as_u16()), "{name}: {}", answer.0);
        assert_problem(&answer, answer.0.as_u16(), "badRequest");
    }
}

#[tokio::test]
async fn a_policy_that_the_server_cannot_keep_to_is_refused_with_its_cause() {
    let server = Server::in_country("CH").await;
    let good = constitution(&server);
    let country = |code: &str| Jurisdiction::try_from(code.to_owned()).unwrap();
    let text = |change: &dyn Fn(&mut Constitution)| {
        let mut changed = good.clone();
        change(&mut changed);
        serde_json::to_string(&changed).unwrap()
    };
    let cases = [
        ("malformed", "{".to_owned()),
        ("malformed", "{\"version\":2}".to_owned()),
        ("canonical", good.encode().unwrap().replace(':', ": ")),
        ("version", text(&|c| c.version = 1)),
        ("too long", format!("\"{}\"", "x".repeat(9000))),
        ("another meeting", text(&|c| c.meeting = [9; 16])),
        ("cipher suite", text(&|c| c.suite = 0x0002)),
        ("media nodes", text(&|c| c.node_key = [9; 32])),
        ("where this server is", text(&|c| c.jurisdictions = vec![country("TW"), country("DE")])),
    ];

    for (cause, policy) in cases {
        let mut body = new_meeting(&server);
        body["policy"] = json!(policy);
        // Creating is limited, for each router.
        let answer = server.again().create(body.to_string()).await;
        assert_problem(&answer, 400, "policyRefused");
        let body: Value = serde_json::from_slice(&answer.2).unwrap();
        assert!(body["detail"].as_str().unwrap().contains(cause), "{cause}: {body}");
    }

    let mut body = new_meeting(&server);
    let kept = text(&|c| c.jurisdictions = vec![country("CH"), country("DE")]);
    body["policy"] = json!(kept);
    assert_eq!(server.create(body.to_string()).await.0, StatusCode::CREATED);
}

#[tokio::test]
async fn a_server_that_says_not_where_it_is_keeps_no_media_in_a_country() {
    let server = Server::new().await;
    let jurisdictions = vec![Jurisdiction::try_from("CH".to_owned()).unwrap()];
    let policy = Constitution { jurisdictions, ..constitution(&server) }.encode().unwrap();
    let mut body = new_meeting(&server);
    body["policy"] = json!(policy);

    assert_problem(&server.create(body.to_string()).await, 400, "policyRefused");
}

#[tokio::test]
async fn every_refusal_is_a_problem_document() {
    let server = Server::new().await;
    let delete = Request::delete("/api/v1/meetings").body(Body::empty()).unwrap();
    let text = Request::post("/api/v1/meetings")
        .header("content-type", "text/plain")
        .body(Body::from("hello"))
        .unwrap();

    assert_problem(&server.get("/api/v1/nothing").await, 404, "notFound");
    assert_problem(&server.get("/no/such/file.js").await, 404, "notFound");
    assert_problem(&server.ask(delete).await, 405, "methodNotAllowed");
    assert_problem(&server.ask(text).await, 415, "unsupportedMediaType");
    assert_problem(&server.create("x".repeat(40_000)).await, 413, "bodyTooLarge");
    assert_problem(&server.get("/api/v1/signal").await, 400, "badRequest");
}

#[tokio::test]
async fn a_source_that_creates_too_many_meetings_is_slowed_down() {
    let server = Server::new().await;

    for _ in 0..5 {
        assert_ne!(server.create("{}").await.0, StatusCode::TOO_MANY_REQUESTS);
    }

    assert_problem(&server.create("{}").await, 429, "rateLimited");
}

#[tokio::test]
async fn the_server_says_what_it_speaks_and_what_it_is() {
    let server = Server::in_country("CH").await;
    let (status, _, body) = server.get("/api/v1/server").await;

    assert_eq!(status, StatusCode::OK);
    let info: ServerInfo = serde_json::from_slice(&body).unwrap();
    assert_eq!((info.protocol_version, info.max_participants), (2, 3));
    assert_eq!(info.jurisdiction.as_deref(), Some("CH"));
    assert_eq!((info.media, info.relay), (vec![media_shard()], Vec::new()));
    let again = Server::open(server.folder.clone(), 3).await;
    assert_eq!(again.node_key, server.node_key, "over a restart too");
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let server = Server::new().await;

    for path in ["/", "/m/abc", "/api/v1/server", "/api/v1/nothing", "/nothing"] {
        let (_, headers, _) = server.get(path).await;
        let policy = headers["content-security-policy"].to_str().unwrap();
        for part in ["default-src 'self'", "frame-ancestors 'none'", "connect-src 'self'"] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("http"), "no other origin: {policy}");
        assert!(policy.contains("script-src 'self' 'wasm-unsafe-eval';"), "{path}: {policy}");
        assert!(policy.contains("worker-src 'self';"), "{path}: {policy}");
        assert_eq!(headers["referrer-policy"], "no-referrer", "{path}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["cross-origin-opener-policy"], "same-origin", "{path}");
        assert!(headers.contains_key("permissions-policy"), "{path}");
        assert!(!headers.contains_key("strict-transport-security"), "{path}: self-signed");
    }
}

#[tokio::test]
async fn the_page_is_served_for_each_view_and_asked_for_again_each_time() {
    let server = Server::new().await;

    let (status, headers, page) = server.get("/").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(headers["content-type"], "text/html; charset=utf-8");
    assert_eq!(headers["cache-control"], "no-cache");
    assert_eq!(server.get("/m/AAECAwQFBgcICQoLDA0ODw").await.2, page);

    let mut request = Request::get("/").body(Body::empty()).unwrap();
    request.headers_mut().insert("if-none-match", headers["etag"].clone());
    let (status, again, body) = server.ask(request).await;
    assert_eq!((status, body.len()), (StatusCode::NOT_MODIFIED, 0));
    assert_eq!(again["etag"], headers["etag"]);

    let mut request = Request::get("/").body(Body::empty()).unwrap();
    request.headers_mut().insert("if-none-match", HeaderValue::from_static("\"other\""));
    assert_eq!(server.ask(request).await.0, StatusCode::OK);
}

impl Server {
    /// Asks for a file, or for a page, as a client that takes these encodings.
    async fn fetch(&self, path: &str, takes: &str) -> (StatusCode, HeaderMap, Vec<u8>) {
        let request = Request::get(path).header("accept-encoding", takes);
        self.ask(request.body(Body::empty()).unwrap()).await
    }
}

#[tokio::test]
async fn files_are_sent_in_the_smallest_form_that_the_client_takes() {
    let server = Server::new().await;
    let (_, plain_headers, plain) = server.get("/").await;
    assert!(!plain_headers.contains_key("content-encoding"));
    assert_eq!(plain_headers["vary"], "accept-encoding");

    let mut tags = vec![plain_headers["etag"].clone()];
    for (takes, encoding) in [("gzip, deflate, br", "br"), ("gzip", "gzip")] {
        let (status, headers, body) = server.fetch("/m/abc", takes).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers["content-encoding"], encoding);
        assert_eq!(headers["content-type"], "text/html; charset=utf-8");
        assert_eq!(headers["vary"], "accept-encoding");
        assert_eq!(headers["cache-control"], "no-cache");
        assert!(body.len() < plain.len(), "{encoding}");

        let mut request = Request::get("/").header("accept-encoding", takes);
        request = request.header("if-none-match", headers["etag"].clone());
        let (status, again, body) = server.ask(request.body(Body::empty()).unwrap()).await;
        assert_eq!((status, body.len()), (StatusCode::NOT_MODIFIED, 0));
        assert_eq!(again["vary"], "accept-encoding");
        tags.push(headers["etag"].clone());
    }
    tags.sort_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
    tags.dedup();
    assert_eq!(tags.len(), 3, "each form has a tag of its own");

    for takes in ["identity", "br;q=0", "deflate"] {
        let (_, headers, body) = server.fetch("/", takes).await;
        assert!(!headers.contains_key("content-encoding"), "{takes}");
        assert_eq!(body, plain, "{takes}");
    }
    assert_problem(&server.get("/index.html.br").await, 404, "notFound");
}

#[tokio::test]
async fn answers_of_the_api_are_never_compressed() {
    let server = Server::new().await;
    server.create(new_meeting(&server).to_string()).await;

    for path in
        ["/api/v1/server", "/api/v1/openapi.json", "/api/v1/meetings/AAECAwQFBgcICQoLDA0ODw"]
    {
        let request = Request::get(path)
            .header("accept-encoding", "br, gzip")
            .header("authorization", format!("Bearer {}", token(1)));
        let (status, headers, _) = server.ask(request.body(Body::empty()).unwrap()).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert!(!headers.contains_key("content-encoding"), "{path}");
    }
}

#[tokio::test]
async fn no_path_leads_out_of_the_web_client() {
    let server = Server::new().await;

    for path in
        ["/../package.json", "/..%2fpackage.json", "//etc/passwd", "/assets/../../package.json"]
    {
        assert_ne!(server.get(path).await.0, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn the_description_is_openapi_3_1_and_names_every_route() {
    let (status, _, body) = Server::new().await.get("/api/v1/openapi.json").await;
    assert_eq!(status, StatusCode::OK);
    let document: Value = serde_json::from_slice(&body).unwrap();

    assert_eq!(document["openapi"], "3.1.0");
    let mut routes: Vec<_> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| {
            item.as_object().unwrap().keys().map(move |method| format!("{method} {path}"))
        })
        .collect();
    routes.sort();
    assert_eq!(
        routes,
        [
            "get /api/v1/meetings/{id}",
            "get /api/v1/openapi.json",
            "get /api/v1/server",
            "get /api/v1/signal",
            "post /api/v1/meetings",
        ]
    );
    assert_references_resolve(&document, &document);
}

#[tokio::test]
async fn the_described_bodies_are_those_on_the_wire() {
    let document = serde_json::to_value(conclave_api::openapi()).unwrap();
    let server = Server::new().await;
    server.create(new_meeting(&server).to_string()).await;
    let meeting = server.find("AAECAwQFBgcICQoLDA0ODw", &token(1)).await.2;
    let info = server.get("/api/v1/server").await.2;
    let problem = server.get("/nothing").await.2;

    let cases = [
        ("CreateMeeting", new_meeting(&server)),
        ("MeetingInfo", serde_json::from_slice(&meeting).unwrap()),
        ("ServerInfo", serde_json::from_slice(&info).unwrap()),
        ("Problem", serde_json::from_slice(&problem).unwrap()),
    ];
    for (name, body) in cases {
        let described = &document["components"]["schemas"][name]["properties"];
        let keys = |value: &Value| {
            let mut keys: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
            keys.sort();
            keys
        };
        assert_eq!(keys(described), keys(&body), "{name}");
    }
}

#[tokio::test]
async fn a_head_request_gets_no_body() {
    let server = Server::new().await;
    let request = Request::builder().method(Method::HEAD).uri("/").body(Body::empty()).unwrap();

    let (status, _, body) = server.ask(request).await;

    assert_eq!((status, body.len()), (StatusCode::OK, 0));
}

/// Checks that each `$ref` names something that is there.
fn assert_references_resolve(document: &Value, value: &Value) {
    match value {
        Value::Array(values) => {
            values.iter().for_each(|value| assert_references_resolve(document, value));
        }
        Value::Object(object) => {
            if let Some(Value::String(reference)) = object.get("$ref") {
                let pointer = reference.strip_prefix('#').expect("a local reference");
                assert!(document.pointer(pointer).is_some(), "{reference}");
            }
            object.values().for_each(|value| assert_references_resolve(document, value));
        }
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => {}
    }
}
