//! What lies on a storage, and how it gets there.
use super::{
    Grant, Patience, Place, Proxmox, Role, TaskId, encode, strange, upload,
    values::{self, Pairs},
};
use crate::model::{Answer, Checksum, Class, HttpUrl};
use reqwest::Method;
use serde_json::Value;
use std::{path::Path, time::Duration};

/// How long a node may download or copy a file.
const FETCHING: Duration = Duration::from_secs(3_600);

/// A volume on a storage.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Volume {
    /// `local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst`.
    pub id: String,
    /// `vztmpl`, `iso`, `rootdir` …
    pub content: String,
    /// Bytes.
    pub size: u64,
}

impl Proxmox {
    /// The volumes of one content type on a storage of a node.
    pub async fn storage_content(&self, node: &str, storage: &str, content: &str) -> Answer<Vec<Volume>> {
        let attempted = format!("list {content} on storage {storage} of {node}");
        let path = format!("/nodes/{}/storage/{}/content", encode::segment(node), encode::segment(storage));
        let data = self.wire.get(&attempted, &path, &[("content", content)]).await?;
        let lines = data.as_array().ok_or_else(|| strange(&attempted, "not a list"))?;
        lines
            .iter()
            .map(|line| {
                let field = |name: &str| line.get(name).and_then(values::text);
                Ok(Volume {
                    id: field("volid").ok_or_else(|| strange(&attempted, "a volume without `volid`"))?,
                    content: field("content").unwrap_or_else(|| content.to_owned()),
                    size: line.get("size").and_then(values::number).unwrap_or(0),
                })
            })
            .collect()
    }

    /// Lets a node download a template of the index of appliances, which holds its address and its checksum.
    ///
    /// # Errors
    /// `Invalid` when the node's index does not have it. The text of the task and the end of its log when it fails.
    pub async fn download_appliance(&self, place: Place<'_>) -> Answer<()> {
        let attempted = format!("download the template {} to storage {} of {}", place.file, place.storage, place.node);
        let path = format!("/nodes/{}/aplinfo", encode::segment(place.node));
        let pairs = vec![("storage".into(), place.storage.into()), ("template".into(), place.file.into())];
        self.fetch(&attempted, place, &path, pairs).await.map_err(|failure| {
            match failure.reason.contains("no such template") {
                true => failure.hint("is the name right? `pveam update` on the node renews its index"),
                false => failure,
            }
        })
    }

    /// Lets a node download a file and verify it.
    ///
    /// # Errors
    /// The text of the task and the end of its log: the host does not answer, the checksum is another.
    pub async fn download(&self, place: Place<'_>, url: &HttpUrl, checksum: &Checksum) -> Answer<()> {
        let attempted = format!("download {url} to storage {} of {}", place.storage, place.node);
        let pairs = [
            ("content", place.content),
            ("filename", place.file),
            ("url", &url.to_string()),
            ("checksum", checksum.digits()),
            ("checksum-algorithm", checksum.algorithm()),
        ];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        match self.fetch(&attempted, place, &place.below("download-url"), pairs).await {
            Err(failure) => Err(self.explain(failure, Grant::on(Role::Downloads, place.node)).await),
            done => done,
        }
    }

    /// Sends a file of this machine.
    ///
    /// # Errors
    /// `NotFound` when there is no such file here. The text of the task when the checksum is another.
    pub async fn upload(&self, place: Place<'_>, file: &Path, checksum: Option<&Checksum>) -> Answer<()> {
        let attempted = format!("upload {} to storage {} of {}", place.file, place.storage, place.node);
        let task = upload::send(&self.wire, &attempted, place, file, checksum).await?;
        self.patient().finish(&attempted, &task).await
    }

    /// Two downloads of one file at once would waste one of them: one that runs already, perhaps our own whose reply was
    /// lost, is waited for instead.
    async fn fetch(&self, attempted: &str, place: Place<'_>, path: &str, pairs: Pairs) -> Answer<()> {
        let client = self.patient();
        if let Some(task) = client.download_of(place).await? {
            return client.await_task(attempted, &task).await;
        }
        let task = client.wire.write(attempted, Method::POST, path, &pairs).await?;
        client.finish(attempted, &task).await
    }

    /// The task that downloads a file of this name, if one runs that the token may see.
    async fn download_of(&self, place: Place<'_>) -> Answer<Option<TaskId>> {
        let attempted = format!("list the running tasks of {}", place.node);
        let path = format!("/nodes/{}/tasks", encode::segment(place.node));
        let query = [("source", "active"), ("typefilter", "download")];
        let data = match self.wire.get(&attempted, &path, &query).await {
            Err(denied) if denied.class == Class::Denied => return Ok(None),
            answer => answer?,
        };
        let runs = |line: &&Value| {
            // Tasks that have ended stand in the list for a while.
            line.get("id").and_then(Value::as_str) == Some(place.file)
                && line.get("type").and_then(Value::as_str) == Some("download")
                && line.get("status").is_none_or(|status| status.is_null() || status == "RUNNING")
                && line.get("endtime").is_none()
        };
        let found = data.as_array().into_iter().flatten().find(runs);
        Ok(found.and_then(|line| TaskId::parse(line.get("upid")?.as_str()?)))
    }

    /// The same client, for tasks that take as long as the network does.
    pub(super) fn patient(&self) -> Self {
        let task = self.patience.task.max(FETCHING);
        Self { patience: Patience { task, ..self.patience }, ..self.clone() }
    }
}
