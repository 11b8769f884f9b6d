//! Files that a node fetches: the index of appliances, and downloads by address. The simulator reaches nobody: what an
//! address holds stands in a table, and any other address is a host that refuses connections.
use super::{
    storage::{of, path, volume},
    storage_content::stored,
};
use crate::sandbox::proxmox::{
    call::{Answer, Call, Endpoint, on},
    refusal::{Refusal, Result},
    state::{Conf, Page, Storage},
    task::Work,
    world::World,
};
use serde_json::{Value, json};

pub const ENDPOINTS: &[Endpoint] = &[
    on("GET", "/nodes/{node}/aplinfo", index),
    on("POST", "/nodes/{node}/aplinfo", appliance),
    on("POST", "/nodes/{node}/storage/{storage}/download-url", by_address),
    on("GET", "/nodes/{node}/query-url-metadata", metadata),
];

/// Where the real index has its files.
const SOURCE: &str = "http://download.proxmox.com/images";

/// The address of an appliance.
pub fn location(template: &str) -> String {
    format!("{SOURCE}/system/{template}")
}

/// `debian-13-standard_13.1-2_amd64.tar.zst` taken apart: package, version, architecture.
fn parts(template: &str) -> (&str, &str, &str) {
    let stem = template.split_once(".tar.").map_or(template, |(stem, _)| stem);
    let mut words = stem.rsplitn(3, '_');
    let (last, version, package) = (words.next(), words.next(), words.next());
    (package.unwrap_or(stem), version.unwrap_or("1"), last.unwrap_or("amd64"))
}

fn index(call: &mut Call<'_>) -> Result<Answer> {
    let state = &call.world.state;
    let rows = state.appliances.iter().filter_map(|template| {
        let page = state.web.get(&location(template))?;
        let (package, version, architecture) = parts(template);
        let os: Vec<&str> = package.split('-').take(2).collect();
        let mut row = json!({
            "template": template, "package": package, "version": version, "architecture": architecture,
            "os": os.join("-"), "section": "system", "type": "lxc", "source": SOURCE,
            "location": location(template), "headline": package, "description": package,
            "infopage": "https://pve.proxmox.com/wiki/Linux_Container#pct_supported_distributions",
        });
        if let (Some(row), Some(sum)) = (row.as_object_mut(), page.sums.get("sha512")) {
            row.insert("sha512sum".into(), json!(sum));
        }
        Some(row)
    });
    Ok(Value::Array(rows.collect()).into())
}

/// A storage that can be used on this node.
///
/// # Errors
/// 500.
fn usable<'a>(call: &'a Call<'_>, storage: &str) -> Result<&'a Storage> {
    let found = of(call.world, storage)?;
    let off = found.more.get("disable").is_some_and(|d| d == "1");
    if off {
        return Err(Refusal::die(format!("storage '{storage}' is disabled")));
    }
    Ok(found)
}

fn appliance(call: &mut Call<'_>) -> Result<Answer> {
    let storage = call.arg("storage").unwrap_or_default().to_string();
    let template = call.arg("template").unwrap_or_default().to_string();
    if !call.world.state.appliances.contains(&template) {
        return Err(Refusal::parameter("template", "no such template"));
    }
    if !usable(call, &storage)?.content.contains("vztmpl") {
        return Err(Refusal::die(format!("storage '{storage}' does not support templates")));
    }
    let (_, format) = stored("vztmpl", &template)?;
    let url = location(&template);
    // The index always has a checksum.
    let sum = call.world.state.web.get(&url).and_then(|page| page.sums.iter().next().map(own));
    let file = File { storage, content: "vztmpl".into(), name: template, format: format.into() };
    Ok(fetch(call, &file, &url, sum))
}

fn own((key, value): (&String, &String)) -> (String, String) {
    (key.clone(), value.clone())
}

fn by_address(call: &mut Call<'_>) -> Result<Answer> {
    let storage = call.arg("storage").unwrap_or_default().to_string();
    let content = call.arg("content").unwrap_or_default().to_string();
    let found = usable(call, &storage)?;
    if found.path.is_none() {
        let why = format!("can't upload to storage type '{}', not a file based storage!", found.kind);
        return Err(Refusal::die(why));
    }
    if !found.content.contains(&content) {
        return Err(Refusal::die(format!("storage '{storage}' is not configured for content-type '{content}'")));
    }
    let (name, format) = stored(&content, call.arg("filename").unwrap_or_default())?;
    let url = call.arg("url").unwrap_or_default().to_string();
    let sum = call.arg("checksum-algorithm").zip(call.arg("checksum"));
    let sum = sum.map(|(algorithm, digits)| (algorithm.to_string(), digits.to_lowercase()));
    let file = File { storage, content, name, format: format.into() };
    Ok(fetch(call, &file, &url, sum))
}

/// What an address says of its file before it is fetched. The simulator reaches nobody beyond its table.
fn metadata(call: &mut Call<'_>) -> Result<Answer> {
    let url = call.arg("url").unwrap_or_default();
    let Some(page) = call.world.state.web.get(url) else {
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        let host = rest.split(['/', '?']).next().unwrap_or_default();
        let port = if scheme == "https" { 443 } else { 80 };
        let host = if host.contains(':') { host.to_string() } else { format!("{host}:{port}") };
        let why = format!("invalid server response: '500 Can't connect to {host} (Connection refused)'");
        return Err(Refusal::die(why));
    };
    let name = url.split('?').next().and_then(|path| path.rsplit_once('/')).map_or("", |(_, name)| name);
    let mut row = json!({"size": page.size, "mimetype": "application/octet-stream"});
    if !name.is_empty() {
        row["filename"] = json!(name);
    }
    Ok(row.into())
}

/// A file to be.
struct File {
    storage: String,
    content: String,
    name: String,
    format: String,
}

/// Starts the task that downloads a file.
fn fetch(call: &mut Call<'_>, file: &File, url: &str, sum: Option<(String, String)>) -> Answer {
    let volid = format!("{}:{}/{}", file.storage, file.content, file.name);
    let target = path(call.world, &volid);
    let mut log = vec![format!("downloading {url} to {target}")];
    let work = match outcome(call.world, &volid, url, sum.as_ref(), &target, &mut log) {
        Outcome::Stays => Work::Logs { log },
        Outcome::Fails(why) => Work::Fails { why, log },
        Outcome::Comes(Page { size, sums }) => {
            let (content, format) = (file.content.clone(), file.format.clone());
            Work::StoreVolume { volid, content, format, size, sums, note: log }
        }
    };
    let (node, who) = (call.node(), call.who.clone());
    json!(call.world.fork(&node, "download", &file.name, &who, work, None)).into()
}

enum Outcome {
    /// The right file is there.
    Stays,
    Fails(String),
    Comes(Page),
}

/// As `download_file_from_url` of pve-common 9 decides.
fn outcome(
    world: &World,
    volid: &str,
    url: &str,
    sum: Option<&(String, String)>,
    target: &str,
    log: &mut Vec<String>,
) -> Outcome {
    let mismatch = |sums: &Conf, (algorithm, expected): &(String, String)| {
        let got = sums.get(algorithm).cloned().unwrap_or_default();
        (got != *expected).then(|| format!("checksum mismatch: got '{got}' != expect '{expected}'"))
    };
    if let Ok(there) = volume(world, volid) {
        let Some(sum) = sum else {
            return Outcome::Fails(format!("refusing to override existing file '{target}'"));
        };
        let calculating = "calculating checksum of existing file...";
        return match mismatch(&there.sums, sum) {
            Some(why) => {
                log.push(calculating.into());
                Outcome::Fails(format!("{why}, aborting"))
            }
            None => {
                log.push(format!("{calculating}OK, got correct file already, no need to download"));
                Outcome::Stays
            }
        };
    }
    let time = jiff::Timestamp::from_millisecond(i64::try_from(world.now).unwrap_or_default()).unwrap_or_default();
    log.push(format!("--{}--  {url}", time.strftime("%F %T")));
    let Some(page) = world.state.web.get(url) else {
        let host = url.split('/').nth(2).unwrap_or_default();
        return Outcome::Fails(format!("download failed: Connecting to {host}... failed: Connection refused."));
    };
    match sum.map(|sum| mismatch(&page.sums, sum)) {
        Some(Some(why)) => {
            log.push("calculating checksum...".into());
            return Outcome::Fails(why);
        }
        Some(None) => log.push("calculating checksum...OK, checksum verified".into()),
        None => {}
    }
    log.push(format!("download of '{url}' to '{target}' finished"));
    Outcome::Comes(page.clone())
}
