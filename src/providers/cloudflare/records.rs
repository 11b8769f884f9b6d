//! DNS records of a zone.
use super::{Cloudflare, normal, page::Count, strange};
use crate::model::{Answer, Class};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Spec: up to 5,000,000 in one page; in practice the API gives no more than this.
const PER_PAGE: usize = 5_000;

/// A record as the API shows it, in normal form: see [`normal`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    pub id: String,
    /// In full, lower case, punycode, no final dot.
    pub name: String,
    /// `A`, `CNAME` …
    pub kind: String,
    /// Normal form of the type; of a type with `data` the API's rendering of it.
    pub content: String,
    /// Seconds; 1 is automatic, always so when proxied.
    pub ttl: u32,
    pub proxied: bool,
    /// `None` for an empty one too.
    pub comment: Option<String>,
    /// Of MX.
    pub priority: Option<u16>,
    /// Of SRV, CAA and their kin.
    pub data: Option<Value>,
}

impl Record {
    /// `None`: it has no id, name or type.
    fn read(value: &Value) -> Option<Self> {
        let kind = value["type"].as_str()?.to_ascii_uppercase();
        let proxied = value["proxied"] == true;
        let ttl = value["ttl"].as_u64().and_then(|ttl| u32::try_from(ttl).ok()).unwrap_or(1);
        Some(Self {
            id: value["id"].as_str()?.to_owned(),
            name: normal::name(value["name"].as_str()?),
            content: normal::content(&kind, value["content"].as_str().unwrap_or_default()),
            ttl: normal::ttl(ttl, proxied),
            proxied,
            comment: value["comment"].as_str().filter(|c| !c.is_empty()).map(str::to_owned),
            priority: value["priority"].as_u64().and_then(|p| u16::try_from(p).ok()),
            data: value.get("data").filter(|data| data.is_object()).map(normal::data),
            kind,
        })
    }
}

/// A whole record as it is sent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RecordBody {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    /// Not for types with `data`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u16>,
    /// Seconds; 1 is automatic.
    pub ttl: u32,
    pub proxied: bool,
    /// An empty one removes it.
    pub comment: String,
}

/// What of a record is to change; what is missing is kept.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct RecordPatch {
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxied: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// Changes that take effect together or not at all, in this order: deletes, patches, posts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Batch {
    /// Ids.
    pub deletes: Vec<String>,
    pub patches: Vec<(String, RecordPatch)>,
    pub posts: Vec<RecordBody>,
}

impl Batch {
    /// Operations; a free zone takes 200 in one call, a paid one 3,500.
    pub fn len(&self) -> usize {
        self.deletes.len() + self.patches.len() + self.posts.len()
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a batch left, in the order in which it was sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Batched {
    pub patches: Vec<Record>,
    pub posts: Vec<Record>,
}

impl Cloudflare {
    /// All records of a zone, proven complete against the number that the API states with the list.
    ///
    /// # Errors
    /// `Transient` when the list is cut short, and all that any read may bring.
    pub async fn records(&self, zone: &str) -> Answer<Vec<Record>> {
        let attempted = format!("list the DNS records of zone {zone}");
        self.listed(&attempted, zone, &[("order", "name".into()), ("direction", "asc".into())]).await
    }

    /// All records at one name.
    ///
    /// # Errors
    /// As [`Cloudflare::records`].
    pub async fn records_named(&self, zone: &str, name: &str) -> Answer<Vec<Record>> {
        let attempted = format!("list the DNS records at {name}");
        self.listed(&attempted, zone, &[("name.exact", name.into())]).await
    }

    async fn listed(&self, attempted: &str, zone: &str, query: &[(&str, String)]) -> Answer<Vec<Record>> {
        let all = self.list(attempted, &records(zone), query, PER_PAGE, Count::Told).await?;
        let unreadable = || strange(attempted, "a record in the list has no id, name or type");
        all.iter().map(|record| Record::read(record).ok_or_else(unreadable)).collect()
    }

    /// How many records the zone has by the count for its quota: a second source beside the list.
    ///
    /// # Errors
    /// All that any read may bring.
    pub async fn record_count(&self, zone: &str) -> Answer<u64> {
        let attempted = format!("count the DNS records of zone {zone}");
        let usage = self.wire.get(&attempted, &format!("{}/usage", records(zone)), &[]).await?.result;
        let number = usage["record_usage"].as_f64().filter(|n| *n >= 0.0);
        // A count is far below 2^53.
        number.map(|n| n as u64).ok_or_else(|| strange(&attempted, "the reply holds no count"))
    }

    /// Makes one record. It is no upsert: a record of the same name and other content is left beside it.
    ///
    /// # Errors
    /// `Conflict` when the name is taken or an identical record is there; `UnknownOutcome` when the reply was lost.
    pub async fn create_record(&self, zone: &str, body: &RecordBody) -> Answer<Record> {
        let attempted = format!("create the {} record {}", body.kind, body.name);
        let reply = self.wire.once(&attempted, Method::POST, &records(zone), &json!(body)).await?;
        made(&attempted, &reply.result)
    }

    /// Changes the fields that are sent. The reply must be compared: `proxied` may be left off in silence.
    ///
    /// # Errors
    /// `NotFound` when it is gone, `Conflict` when the new name or type is taken.
    pub async fn patch_record(&self, zone: &str, id: &str, patch: &RecordPatch) -> Answer<Record> {
        let attempted = format!("change the DNS record {id}");
        let path = format!("{}/{id}", records(zone));
        let reply = self.wire.repeatable(&attempted, Method::PATCH, &path, Some(&json!(patch))).await?;
        made(&attempted, &reply.result)
    }

    /// Removes one record; one that is gone already is no error.
    ///
    /// # Errors
    /// All that any write may bring.
    pub async fn delete_record(&self, zone: &str, id: &str) -> Answer<()> {
        let attempted = format!("delete the DNS record {id}");
        let path = format!("{}/{id}", records(zone));
        match self.wire.repeatable(&attempted, Method::DELETE, &path, None).await {
            Err(failure) if failure.class == Class::NotFound => Ok(()),
            answer => answer.map(|_| ()),
        }
    }

    /// Runs many changes in one transaction.
    ///
    /// # Errors
    /// The first operation that is refused, and then nothing was done; `UnknownOutcome` when the reply was lost.
    pub async fn batch(&self, zone: &str, batch: &Batch) -> Answer<Batched> {
        let attempted = format!("change {} DNS records in one batch", batch.len());
        let deletes: Vec<Value> = batch.deletes.iter().map(|id| json!({"id": id})).collect();
        let patches: Vec<Value> = batch
            .patches
            .iter()
            .map(|(id, patch)| {
                let mut patch = json!(patch);
                patch["id"] = json!(id);
                patch
            })
            .collect();
        let mut body = json!({});
        for (name, part) in [("deletes", json!(deletes)), ("patches", json!(patches)), ("posts", json!(batch.posts))] {
            if part != json!([]) {
                body[name] = part;
            }
        }
        let path = format!("{}/batch", records(zone));
        let result = self.wire.once(&attempted, Method::POST, &path, &body).await?.result;
        let part = |name: &str, sent: usize| -> Answer<Vec<Record>> {
            let all = result[name].as_array().map(Vec::as_slice).unwrap_or_default();
            let read: Option<Vec<Record>> = all.iter().map(Record::read).collect();
            read.filter(|read| read.len() == sent).ok_or_else(|| unknown(&attempted))
        };
        Ok(Batched { patches: part("patches", batch.patches.len())?, posts: part("posts", batch.posts.len())? })
    }
}

fn records(zone: &str) -> String {
    format!("/zones/{zone}/dns_records")
}

fn made(attempted: &str, result: &Value) -> Answer<Record> {
    Record::read(result).ok_or_else(|| unknown(attempted))
}

/// It said yes, but not to what.
fn unknown(attempted: &str) -> crate::model::Failure {
    crate::model::Failure::new(Class::UnknownOutcome, attempted, "the reply does not show what was done")
}
