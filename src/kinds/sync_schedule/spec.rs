//! What a person writes to describe a schedule.
use super::Calendar;
use crate::{
    kinds::declared::{Declarations, Declared, Spec},
    model::{Deletion, HttpUrl, Identifier, Name, Period, Reference},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// A command, or an HTTP request, that runs inside a guest on a calendar: a timer and a service of its systemd. Exactly
/// one of `command` and `http` is given.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "SyncSchedule")]
pub struct SyncSchedule {
    /// The guest: the name of a Container.
    pub guest: Name,
    /// When: a calendar expression of systemd (`02:00`, `Mon..Fri 06:30`, `daily`) or five fields of cron (`0 2 * * *`).
    pub schedule: Calendar,
    /// The time zone of the schedule; the Site's unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// The program, by its path, and its arguments, each as it is: no shell reads them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub command: Option<Vec<String>>,
    /// A request that the guest makes, instead of a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpTrigger>,
    /// The user that runs it; root unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Identifier>,
    /// Environment variables from a file of `NAME=value` lines, which only root of the guest can read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
    /// What happens at the next time while it still runs.
    #[serde(default)]
    pub overlap: Overlap,
    /// What happens when the guest was down at the time.
    #[serde(default)]
    pub misfire: Misfire,
    /// After how long it is ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_limit: Option<Period>,
    /// How often, and after how long, a run that failed is tried again; never unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<Retries>,
}

/// Environment variables.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Environment {
    /// Where the file is.
    pub file: Reference,
}

/// A request that the guest makes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpTrigger {
    /// The method.
    #[serde(default)]
    pub method: Method,
    /// The URL, as the guest reaches it. An answer of 400 or above is a failure.
    pub url: HttpUrl,
}

/// The method of a request.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    Get,
    #[default]
    Post,
    Put,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
        })
    }
}

/// What happens at the next time while it still runs.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Overlap {
    /// That time is left out.
    #[default]
    Skip,
    /// It runs once more when it is done. Not supported yet.
    Queue,
}

/// What happens when the guest was down at the time.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Misfire {
    /// It waits for the next time.
    #[default]
    Skip,
    /// It runs once when the guest is up.
    RunOnce,
}

/// How often a run that failed is tried again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Retries {
    /// How many times.
    #[schemars(range(min = 1, max = 100))]
    pub limit: u32,
    /// How long after the failure.
    pub delay: Period,
}

impl Spec for SyncSchedule {
    const KIND: &'static str = "SyncSchedule";
    const DELETION: Deletion = Deletion::Delete;
    const EXAMPLE: &'static str = include_str!("example.yaml");
    fn of(declarations: &Declarations) -> &BTreeMap<Name, Declared<Self>> {
        &declarations.sync_schedules
    }
    fn of_mut(declarations: &mut Declarations) -> &mut BTreeMap<Name, Declared<Self>> {
        &mut declarations.sync_schedules
    }
}
