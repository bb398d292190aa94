//! What everybody saw once and is gone: whoever followed is told so, whatever happened to it since.

use catalog_tests::ADMIN_TOKEN;
use catalog_tests::package::{datalab, package};
use serde_json::json;

use super::{developer, reviewed, send};

#[tokio::test(flavor = "multi_thread")]
async fn who_followed_is_told_what_is_gone_and_nobody_of_what_never_was() {
    let sandbox = reviewed().await;
    let ann = developer(&sandbox, "ann").await;
    let upload = async |identifier: &str, version: &str| {
        let path = format!("/api/v1/packages/{identifier}/{version}");
        let (status, answer) = send(&sandbox, "PUT", &path, &ann, package(&datalab(identifier, version))).await;
        assert_eq!(status, 201, "{answer}");
    };
    let step = async |identifier: &str, version: &str, to: &str| {
        let path = format!("/api/v1/packages/{identifier}/{version}/state");
        let change = json!({ "state": to, "reason": format!("{to} for the test") }).to_string();
        let (status, answer) = send(&sandbox, "POST", &path, ADMIN_TOKEN, change).await;
        assert_eq!(status, 200, "{identifier} to {to}: {answer}");
    };
    let lay = async |identifier: &str, patch: &str| {
        let path = format!("/api/v1/records/go-esa/{identifier}");
        assert_eq!(send(&sandbox, "PATCH", &path, ADMIN_TOKEN, patch.to_owned()).await.0, 200, "{identifier}");
    };
    // Seen and hidden; hidden before anybody saw it; seen, withdrawn, and in work again; hidden, shown, and hidden again.
    for identifier in ["gone.own.hidden", "gone.own.never", "gone.own.again", "gone.own.twice"] {
        upload(identifier, "1.0.0").await;
    }
    step("gone.own.hidden", "1.0.0", "published").await;
    lay("gone.own.hidden", r#"{"discoverable":false}"#).await;
    lay("gone.own.never", r#"{"discoverable":false}"#).await;
    lay("gone.own.never", r#"{"officialConfirmed":true}"#).await;
    step("gone.own.never", "1.0.0", "published").await;
    step("gone.own.again", "1.0.0", "published").await;
    step("gone.own.again", "1.0.0", "withdrawn").await;
    upload("gone.own.again", "2.0.0").await;
    lay("gone.own.twice", r#"{"discoverable":false}"#).await;
    step("gone.own.twice", "1.0.0", "published").await;
    lay("gone.own.twice", r#"{"discoverable":null}"#).await;
    lay("gone.own.twice", r#"{"discoverable":false}"#).await;
    sandbox.wait_until_in_step().await;

    for path in [
        "/feed",
        "/feed.atom",
        "/api/v1/changes?limit=1000",
        "/oai?verb=ListIdentifiers&metadataPrefix=oai_dc",
        "/oai?verb=ListRecords&metadataPrefix=dcat&set=type:Datalab",
    ] {
        let (status, text) = sandbox.get(path).await;
        assert_eq!(status, 200, "{path}");
        for identifier in ["gone.own.hidden", "gone.own.again", "gone.own.twice"] {
            assert!(text.contains(identifier), "{path} does not say that {identifier} is gone: {text}");
        }
        assert!(!text.contains("gone.own.never"), "{path} names what nobody ever saw: {text}");
        assert!(!text.contains("The lab ") && !text.contains("2.0.0"), "{path} says what it was, or will be: {text}");
    }
    for (identifier, code) in
        [("hidden", "deleted"), ("again", "deleted"), ("twice", "deleted"), ("never", "idDoesNotExist")]
    {
        let iri = format!("{}/id/go-esa/gone.own.{identifier}", sandbox.base());
        let (_, text) = sandbox.get(&format!("/oai?verb=GetRecord&metadataPrefix=oai_dc&identifier={iri}")).await;
        assert!(text.contains(code) && !text.contains("<metadata>"), "{identifier}: {text}");
    }
    // A tombstone stays while its developers prepare another version, of which it says nothing.
    for path in ["/id/go-esa/gone.own.again", "/id/go-esa/gone.own.again.ttl", "/id/go-esa/gone.own.again/1.0.0"] {
        let (status, text) = sandbox.get(path).await;
        assert_eq!(status, 410, "{path}: {text}");
        assert!(text.contains("withdrawn for the test") && !text.contains("2.0.0"), "{path}: {text}");
    }
    let (status, text) = sandbox.get("/api/v1/records/go-esa/gone.own.again").await;
    assert!(status == 410 && !text.contains("2.0.0"), "{status} {text}");
    assert_eq!(sandbox.get("/record/go-esa/gone.own.again").await.0, 410);
    for path in
        ["/id/go-esa/gone.own.again/2.0.0", "/api/v1/packages/gone.own.again/2.0.0", "/id/go-esa/gone.own.hidden"]
    {
        assert_eq!(sandbox.get(path).await.0, 404, "{path}");
    }
    let (status, answer) = send(&sandbox, "GET", "/api/v1/records/go-esa/gone.own.again", &ann, "").await;
    assert_eq!((status, answer["version"].as_str()), (200, Some("2.0.0")), "its developers go on");
    step("gone.own.again", "2.0.0", "published").await;
    sandbox.wait_until_in_step().await;
    assert_eq!(sandbox.get("/api/v1/records/go-esa/gone.own.again").await.0, 200);
    assert_eq!(sandbox.get("/id/go-esa/gone.own.again/1.0.0").await.0, 410);
}
