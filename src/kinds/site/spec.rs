//! What a person writes to describe a site.
use crate::{
    kinds::declared::{Declarations, Declared, Spec},
    model::{Deletion, FileReference, HostName, HttpUrl, Identifier, Name, Period, Reference},
};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};
use std::{collections::BTreeMap, fmt};

/// One datacenter. `metadata.name` is its id: 2 to 20 of `a-z`, `0-9` and `-`, the middle of `{slug}.{site}.{domain}`.
/// There is exactly one Site among the manifests.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Site")]
pub struct Site {
    /// The DNS zone in which slugs and tunnels get their names.
    pub domain: HostName,
    /// The time zone of schedules that name none: `Asia/Colombo`.
    #[serde(default = "utc")]
    pub timezone: String,
    /// Where Proxmox VE answers.
    pub proxmox: Proxmox,
    /// The DNS zone and account at Cloudflare. Needed by DnsSlug and Tunnel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloudflare: Option<Cloudflare>,
    /// How to reach the node whose nftables and Traefik are looked after, and through it the insides of guests.
    /// `local`, or a node over SSH. Needed by Gateway, DnsSlug, Tunnel and SyncSchedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Host>,
    /// How long the controller waits between noticing that something is to go and deleting it. A one-shot pass does not wait.
    #[serde(default = "grace")]
    pub grace: Period,
}

/// Where Proxmox VE answers, and what holds for guests that say nothing else.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Proxmox {
    /// One or several nodes of one cluster, tried in this order.
    #[schemars(length(min = 1))]
    pub endpoints: Vec<HttpUrl>,
    /// The certificate of the cluster's own authority (`/etc/pve/pve-root-ca.pem`). Without it and `fingerprint`, the
    /// authorities of the machine are trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<FileReference>,
    /// The SHA-256 fingerprint of the endpoint's certificate, instead of `ca`: `3A:91:…`, 32 bytes. Where several endpoints
    /// have certificates of their own, a list of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprints>,
    /// The API token, `user@realm!id=secret`.
    pub token: Reference,
    /// The nodes of the cluster, for guests that leave it open where they are made (`placement`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<Node>,
    /// What holds for guests that say nothing else.
    #[serde(default)]
    pub defaults: Defaults,
}

/// One fingerprint, or a list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Fingerprints {
    /// `3A:91:…`, 32 bytes.
    One(String),
    /// Each as `3A:91:…`, 32 bytes.
    Several(Vec<String>),
}

impl Fingerprints {
    pub fn all(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Several(several) => several,
        }
    }
}

impl<'de> Deserialize<'de> for Fingerprints {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrSeveral;
        impl<'de> de::Visitor<'de> for OneOrSeveral {
            type Value = Fingerprints;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a fingerprint such as 3A:91:…, or a list of them")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Fingerprints, E> {
                Ok(Fingerprints::One(text.into()))
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, list: A) -> Result<Fingerprints, A::Error> {
                Vec::deserialize(de::value::SeqAccessDeserializer::new(list)).map(Fingerprints::Several)
            }
        }
        deserializer.deserialize_any(OneOrSeveral)
    }
}

/// A node of the cluster.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Node {
    /// Its name in the cluster.
    pub name: Identifier,
    /// Words of your own, by which guests choose: `{ disk: nvme }`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// What holds for guests that say nothing else.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Defaults {
    /// The node on which guests are made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<Identifier>,
    /// The storage of disks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<Identifier>,
    /// The bridge of network devices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bridge: Option<Identifier>,
}

/// The account and zone at Cloudflare.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cloudflare {
    /// Id of the account, 32 hexadecimal digits.
    #[schemars(regex(pattern = "^[0-9a-f]{32}$"))]
    pub account: String,
    /// Id of the zone of `domain`, 32 hexadecimal digits.
    #[schemars(regex(pattern = "^[0-9a-f]{32}$"))]
    pub zone: String,
    /// The API token, with DNS Edit on the zone and, for tunnels, Cloudflare Tunnel Edit on the account.
    pub token: Reference,
}

/// How to reach the node: `local`, or over SSH.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Host {
    /// The program runs on the node itself.
    Local(#[schemars(with = "LocalWord")] LocalWord),
    /// Over SSH.
    Ssh(SshHost),
}

/// The word `local`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum LocalWord {
    Local,
}

/// A node over SSH.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SshHost {
    /// `user@host`, or `user@host:port`.
    #[schemars(regex(pattern = "^[^@ ]+@[^ ]+$"))]
    pub ssh: String,
    /// The private key.
    pub key: Reference,
    /// The keys by which the host is known, in the format of OpenSSH's `known_hosts`.
    pub known_hosts: FileReference,
}

impl<'de> Deserialize<'de> for Host {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LocalOrSsh;
        impl<'de> de::Visitor<'de> for LocalOrSsh {
            type Value = Host;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`local` or { ssh: user@host, key: …, knownHosts: … }")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Host, E> {
                match text {
                    "local" => Ok(Host::Local(LocalWord::Local)),
                    other => Err(E::invalid_value(de::Unexpected::Str(other), &self)),
                }
            }
            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Host, A::Error> {
                SshHost::deserialize(de::value::MapAccessDeserializer::new(map)).map(Host::Ssh)
            }
        }
        deserializer.deserialize_any(LocalOrSsh)
    }
}

fn utc() -> String {
    "UTC".into()
}

fn grace() -> Period {
    Period::seconds(300)
}

impl Spec for Site {
    const KIND: &'static str = "Site";
    const DELETION: Deletion = Deletion::Retain;
    const EXAMPLE: &'static str = include_str!("example.yaml");
    fn of(declarations: &Declarations) -> &BTreeMap<Name, Declared<Self>> {
        &declarations.sites
    }
    fn of_mut(declarations: &mut Declarations) -> &mut BTreeMap<Name, Declared<Self>> {
        &mut declarations.sites
    }
}
