//! Recordings: files of one JSON object a line, each an exchange with a real Proxmox VE.
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    path::{Path, PathBuf},
};

/// The scenario that says in which state all others begin.
pub const START_STATE: &str = "baseline/start-state";

/// One exchange, as a client saw it.
#[derive(Clone, Debug, Deserialize)]
pub struct Exchange {
    /// `AREA/NAME`.
    pub scenario: String,
    /// Its place in the scenario.
    pub seq: u64,
    /// When it was sent, in milliseconds since the scenario's first line.
    pub t_ms: u64,
    /// How long the answer took, in milliseconds.
    #[serde(default)]
    pub took_ms: u64,
    /// The number of the TCP connection.
    #[serde(default)]
    pub conn: u64,
    pub method: String,
    /// Percent-encoded as it was sent, below `base`.
    pub path: String,
    /// `/api2/json` where it is not said.
    #[serde(default)]
    pub base: Option<String>,
    #[serde(default)]
    pub auth: Auth,
    /// The user and token: `root@pam!full`, or `joe@pve (ticket)`.
    #[serde(default, rename = "as")]
    pub who: Option<String>,
    #[serde(default)]
    pub request: Sent,
    /// `None` when the connection ended without an answer.
    #[serde(default)]
    pub response: Option<Answered>,
    #[serde(default)]
    pub note: Option<String>,
}

/// With what a request was sent.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Auth {
    #[default]
    Full,
    Limited,
    None,
    Bad,
}

/// What was sent beside verb and path.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Sent {
    pub query: Option<Vec<(String, Value)>>,
    pub form: Option<Vec<(String, Value)>>,
    pub raw_query: Option<String>,
    pub json: Option<Value>,
    /// Bytes as they were sent; those that are no text stand as one character each.
    pub raw: Option<String>,
    /// Describes a body too large to keep: `"description=" followed by 8192 times "x"`.
    pub raw_desc: Option<String>,
    pub multipart: Option<Vec<Part>>,
    pub content_type: Option<String>,
    pub headers: Map<String, Value>,
    pub chunked: bool,
}

/// A part of a multipart body: a field, or a file of which only the size was kept.
#[derive(Clone, Debug, Deserialize)]
pub struct Part {
    pub name: String,
    #[serde(default)]
    pub value: Option<String>,
    #[serde(default)]
    pub filename: Option<String>,
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    #[serde(default)]
    pub bytes: Option<usize>,
}

/// The recorded answer.
#[derive(Clone, Debug, Deserialize)]
pub struct Answered {
    pub status: u16,
    #[serde(default)]
    pub reason: String,
    /// Names in lower case; several of one name as a list.
    #[serde(default)]
    pub headers: Map<String, Value>,
    /// JSON where it was JSON, else text; null where there was none.
    #[serde(default)]
    pub body: Value,
    /// Set where the recording keeps a part of a long list.
    #[serde(default)]
    pub trimmed: Option<Trimmed>,
}

/// Of a list of `of` rows only some stand in the recording.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Trimmed {
    pub of: usize,
}

impl Answered {
    /// Whether the connection went on. Of several headers the last counts: pveproxy adds its own to that of the daemon
    /// behind it.
    pub fn keeps_open(&self) -> Option<bool> {
        let said = match self.headers.get("connection")? {
            Value::Array(all) => all.last()?.as_str()?,
            one => one.as_str()?,
        };
        Some(!said.eq_ignore_ascii_case("close"))
    }
}

impl Exchange {
    /// How many identical polls were left out before it, as its note says.
    pub fn polls_left_out(&self) -> u64 {
        let note = self.note.as_deref().unwrap_or_default();
        note.split_once(" earlier polls").and_then(|(number, _)| number.parse().ok()).unwrap_or(0)
    }

    /// When the answer was there, in milliseconds since the scenario's first line.
    pub fn ended(&self) -> u64 {
        self.t_ms + self.took_ms
    }

    /// Whether the note says this.
    pub fn notes(&self, what: &str) -> bool {
        self.note.as_deref().is_some_and(|note| note.contains(what))
    }

    /// Whether the other is the same request.
    pub fn repeats(&self, other: &Self) -> bool {
        let body = |e: &Self| format!("{:?}", e.request);
        self.method == other.method && self.path == other.path && self.who == other.who && body(self) == body(other)
    }
}

/// The exchanges of one scenario, in the order in which they were sent.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub name: String,
    pub exchanges: Vec<Exchange>,
}

impl Scenario {
    /// What stands before the slash: areas are what shares are told of.
    pub fn area(&self) -> &str {
        self.name.split('/').next().unwrap_or_default()
    }
}

/// Recordings as they were asked for, and the state in which they begin where it was found.
pub struct Recordings {
    pub scenarios: Vec<Scenario>,
    pub start: Option<Scenario>,
}

/// Reads files (`.jsonl`, `.jsonl.gz`) and folders of them. The start state is looked for among them and in the folders
/// around them.
///
/// # Errors
/// What cannot be read or understood, with file and line; paths without a recording.
pub fn read(paths: &[PathBuf]) -> Result<Recordings> {
    let mut scenarios = BTreeMap::new();
    for path in paths {
        let mut files = Vec::new();
        find(path, &mut files)?;
        if files.is_empty() {
            bail!("{} holds no recording: no file that ends in .jsonl or .jsonl.gz", path.display());
        }
        for file in files {
            collect(&file, &mut scenarios)?;
        }
    }
    let start = match scenarios.get(START_STATE) {
        Some(start) => Some(start.clone()),
        None => paths.iter().find_map(|path| beside(path).transpose()).transpose()?,
    };
    Ok(Recordings { scenarios: scenarios.into_values().collect(), start })
}

/// Reads the exchanges of a text of one JSON object a line.
///
/// # Errors
/// A line that is none; its number is told.
pub fn parse(text: &str) -> Result<Vec<Exchange>> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(n, line)| serde_json::from_str(line).with_context(|| format!("line {}", n + 1))).collect()
}

fn is_recording(path: &Path) -> bool {
    path.to_str().is_some_and(|p| p.ends_with(".jsonl") || p.ends_with(".jsonl.gz"))
}

fn find(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if path.is_dir() {
        let entries = fs::read_dir(path).with_context(|| format!("list {}", path.display()))?;
        let mut entries: Vec<PathBuf> =
            entries.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>().with_context(|| "list a folder")?;
        entries.sort();
        for entry in entries.iter().filter(|e| e.is_dir() || is_recording(e)) {
            find(entry, files)?;
        }
    } else {
        files.push(path.to_path_buf());
    }
    Ok(())
}

fn collect(file: &Path, scenarios: &mut BTreeMap<String, Scenario>) -> Result<()> {
    let packed = fs::read(file).with_context(|| format!("read {}", file.display()))?;
    let mut text = String::new();
    match packed.starts_with(&[0x1f, 0x8b]) {
        true => flate2::read::MultiGzDecoder::new(&packed[..]).read_to_string(&mut text),
        false => (&packed[..]).read_to_string(&mut text),
    }
    .with_context(|| format!("unpack {}", file.display()))?;
    let exchanges = parse(&text).with_context(|| format!("understand {}", file.display()))?;
    for exchange in exchanges {
        let name = exchange.scenario.clone();
        let scenario = scenarios.entry(name.clone()).or_insert_with(|| Scenario { name, exchanges: Vec::new() });
        scenario.exchanges.push(exchange);
    }
    Ok(())
}

/// The start state in the folders in and around a path.
fn beside(path: &Path) -> Result<Option<Scenario>> {
    let absolute = path.canonicalize().with_context(|| format!("find {}", path.display()))?;
    for folder in absolute.ancestors().take(3).filter(|f| f.is_dir()) {
        for name in ["", ".gz"].map(|end| format!("{START_STATE}.jsonl{end}")) {
            let file = folder.join(name);
            if file.is_file() {
                let mut found = BTreeMap::new();
                collect(&file, &mut found)?;
                return Ok(found.remove(START_STATE));
            }
        }
    }
    Ok(None)
}
