//! An answer that is not a success, in the words of the real one.
use serde_json::{Map, Value, json};

/// Why a call was refused, or when to try it again.
#[derive(Clone, Debug)]
pub enum Refusal {
    Answer {
        status: u16,
        /// Without the trailing newline that Perl's `die` adds.
        message: String,
        errors: Map<String, Value>,
        /// Whether the JSON body's message ends in a newline.
        newline: bool,
    },
    /// The guest's lock file is held by a task until this time (Unix milliseconds).
    Held { vmid: u32, until: u64 },
}

impl Refusal {
    /// 500 with prose: Perl's `die`.
    pub fn die(message: impl Into<String>) -> Self {
        Self::Answer { status: 500, message: message.into(), errors: Map::new(), newline: true }
    }

    /// 403.
    pub fn denied(what: impl AsRef<str>) -> Self {
        let what = what.as_ref();
        let message = if what.is_empty() {
            "Permission check failed".to_string()
        } else {
            format!("Permission check failed ({what})")
        };
        Self::Answer { status: 403, message, errors: Map::new(), newline: true }
    }

    /// 400 with one parameter at fault.
    pub fn parameter(name: &str, why: impl Into<String>) -> Self {
        Self::parameters([(name.to_string(), why.into())])
    }

    /// 400 with several.
    pub fn parameters(errors: impl IntoIterator<Item = (String, String)>) -> Self {
        Self::Answer {
            status: 400,
            message: "Parameter verification failed.".into(),
            errors: errors.into_iter().map(|(k, v)| (k, json!(v))).collect(),
            newline: true,
        }
    }

    /// 595: the node that a call is for does not answer. Nothing was done.
    pub fn unreachable() -> Self {
        Self::Answer { status: 595, message: "No route to host".into(), errors: Map::new(), newline: false }
    }

    /// 501.
    pub fn not_implemented(message: impl Into<String>) -> Self {
        Self::Answer { status: 501, message: message.into(), errors: Map::new(), newline: false }
    }

    /// 501 for what the real one has and this simulator has not. The words differ from every text of the real one.
    pub fn not_simulated(what: impl AsRef<str>) -> Self {
        Self::not_implemented(format!("not simulated: {}", what.as_ref()))
    }

    /// The text alone: what a task ends with.
    pub fn text(&self) -> String {
        match self {
            Self::Answer { message, .. } => message.clone(),
            Self::Held { vmid, .. } => format!("can't lock file '/run/lock/lxc/pve-config-{vmid}.lock' - got timeout"),
        }
    }
}

/// What a call or a task's work yields.
pub type Result<T, E = Refusal> = std::result::Result<T, E>;
