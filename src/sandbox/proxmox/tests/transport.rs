//! What pveproxy does with a request before it is a call (pve-http-server 6).
use super::client::{Client, request};
use crate::sandbox::wire::Request;
use serde_json::json;

fn put(kind: &str, body: &str) -> Request {
    let mut request = request("PUT", "/cluster/options", None);
    request.headers.push(("content-type".into(), kind.into()));
    request.body = body.to_string().into();
    request
}

#[tokio::test]
async fn paths_outside_of_the_api_are_files_that_are_not_there() {
    let client = Client::fast();
    for (path, status, said) in [
        ("/nosuch", 500, "no such file '/nosuch'\n"),
        ("/api2", 501, "no such uri"),
        ("/api2/", 501, "no such uri"),
        ("/api2/JSON/version", 501, "no such uri"),
        ("/api2/nosuch/version", 501, "no formatter for uri /version, nosuch"),
        ("/api2/nosuch", 501, "no formatter for uri /, nosuch"),
    ] {
        let (reply, body) = client.send(Request { path: path.into(), ..request("GET", "", None) }).await;
        assert_eq!((reply.status, body), (status, json!(said)), "{path}");
    }
    let twice = Request { path: "/api2//json//version".into(), ..request("GET", "", None) };
    assert_eq!(client.send(twice).await.0.status, 200);
    // Whoever asks must be known before the format is looked at.
    let stranger = Client { token: "PVEAPIToken=nobody@pam!x=y".into(), ..client };
    let unknown = Request { path: "/api2/nosuch/version".into(), ..request("GET", "", None) };
    assert_eq!(stranger.send(unknown).await.0.status, 401);
}

#[tokio::test]
async fn a_kind_of_content_is_taken_by_its_exact_name_and_only_where_there_is_content() {
    let client = Client::fast();
    for (kind, body, status) in [
        ("text/plain", "", 200),
        ("application/x-www-form-urlencoded , x", "console=vv", 200),
        ("Application/JSON", "{}", 506),
        ("multipart/form-data; boundary=x", "--x--", 506),
    ] {
        let (reply, said) = client.send(put(kind, body)).await;
        assert_eq!(reply.status, status, "{kind}: {said}");
        if status == 506 {
            assert_eq!(said, json!(format!("upload 'Content-Type '{kind}' not implemented")));
        }
    }
}

#[tokio::test]
async fn what_browsers_add_is_no_parameter_and_nothing_is_no_value() {
    let client = Client::fast();
    assert_eq!(client.send(request("GET", "/version", Some("_dc=1"))).await.0.status, 200);
    let mut new = put("application/json", r#"{"vmid": null, "ostemplate": "local:vztmpl/x.tar.zst"}"#);
    (new.method, new.path) = ("POST".into(), "/api2/json/nodes/pve1/lxc".into());
    let (reply, body) = client.send(new).await;
    let missing = json!({"vmid": "property is missing and it is not optional"});
    assert_eq!((reply.status, &body["errors"]), (400, &missing));
}
