//! Downloads, as the recordings and pve-common show them; nothing is ever fetched.
use super::client::Client;
use crate::sandbox::proxmox::{Page, Seed, Timing};
use serde_json::json;

const URL: &str = "https://acme.test/own_1.tar.gz";
const FILE: &str = "debian-12-standard_12.12-1_amd64.tar.zst";

fn client() -> Client {
    let page = Page { size: 4_096, sums: [("sha256".to_string(), "ab".repeat(32))].into() };
    let seed = Seed { appliances: [FILE.to_string()].into(), web: [(URL.to_string(), page)].into(), ..Seed::default() };
    Client::with(seed, Timing::Fast)
}

async fn volumes(client: &Client) -> Vec<String> {
    let rows = client.get("/nodes/pve1/storage/local/content?content=vztmpl").await;
    rows.as_array().unwrap().iter().map(|row| row["volid"].as_str().unwrap().to_string()).collect()
}

#[tokio::test]
async fn an_appliance_of_the_index_is_downloaded() {
    let client = client();
    let index = client.get("/nodes/pve1/aplinfo").await;
    assert_eq!((index[0]["template"].as_str(), index[0]["type"].as_str()), (Some(FILE), Some("lxc")));
    assert_eq!(index[0]["package"], "debian-12-standard");
    let pairs = [("storage", "local"), ("template", FILE)];
    assert_eq!(client.task("POST", "/nodes/pve1/aplinfo", &pairs).await, "OK");
    assert!(volumes(&client).await.contains(&format!("local:vztmpl/{FILE}")));
    assert_eq!(client.task("POST", "/nodes/pve1/aplinfo", &pairs).await, "OK", "what is right already stays");
    let (status, body) =
        client.call("POST", "/nodes/pve1/aplinfo", &[("storage", "local"), ("template", "nosuch")]).await;
    assert_eq!((status, &body["errors"]), (400, &json!({"template": "no such template"})));
}

#[tokio::test]
async fn a_download_is_verified() {
    let client = client();
    let path = "/nodes/pve1/storage/local/download-url";
    let (right, wrong) = ("AB".repeat(32), "00".repeat(32));
    let pairs = |sum| {
        [
            ("content", "vztmpl"),
            ("filename", "own_1.tar.gz"),
            ("url", URL),
            ("checksum", sum),
            ("checksum-algorithm", "sha256"),
        ]
    };
    let got = "ab".repeat(32);
    let mismatch = format!("checksum mismatch: got '{got}' != expect '{wrong}'");
    assert_eq!(client.task("POST", path, &pairs(&wrong)).await, mismatch);
    assert_eq!(volumes(&client).await.len(), 1, "a wrong file does not appear");
    assert_eq!(client.task("POST", path, &pairs(&right)).await, "OK");
    assert_eq!(client.task("POST", path, &pairs(&right)).await, "OK", "what is right already stays");
    assert_eq!(client.task("POST", path, &pairs(&wrong)).await, format!("{mismatch}, aborting"));
    assert_eq!(volumes(&client).await.len(), 2);
}

#[tokio::test]
async fn an_address_that_is_not_in_the_table_does_not_answer() {
    let client = client();
    let pairs = [("content", "vztmpl"), ("filename", "x.tar.gz"), ("url", "https://elsewhere.test/x.tar.gz")];
    let ended = client.task("POST", "/nodes/pve1/storage/local/download-url", &pairs).await;
    assert_eq!(ended, "download failed: Connecting to elsewhere.test... failed: Connection refused.");
    let pairs = [("content", "import"), ("filename", "x.qcow2"), ("url", URL)];
    let (status, body) = client.call("POST", "/nodes/pve1/storage/local/download-url", &pairs).await;
    assert_eq!(status, 500);
    assert_eq!(body["message"], "storage 'local' is not configured for content-type 'import'\n");
}
