//! Every parameter of the schema is acted on, refused for a reason, or said to change nothing: on both releases.
mod calls;
mod samples;

use crate::sandbox::proxmox::{
    Clock, Release, Simulator, Timing, api,
    facts::{Method, Schema},
};
use calls::{BACKUP, KEY, SOUND, Sound};
use samples::{NOT_READ_BACK, REFUSED, SAMPLES};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The families whose parameters are walked through.
const FAMILIES: &[&str] = &["/nodes/{node}/lxc", "/nodes/{node}/qemu", "/nodes/{node}/storage", "/pools", "/access"];
/// Endpoints that succeed by no console call, and where else their parameters are tried.
const ELSEWHERE: &[(&str, &str)] = &[
    ("POST /nodes/{node}/storage/{storage}/upload", "it takes a file: the test of checksums"),
    ("POST /access/domains", "what a realm takes depends on its type: the test of realms"),
    ("PUT /access/domains/{realm}", "what a realm takes depends on its type: the test of realms"),
    ("POST /access/domains/{realm}/sync", "no directory is there: 501"),
    ("POST /nodes/{node}/qemu/{vmid}/agent/exec", "nothing runs inside: 501"),
    ("POST /nodes/{node}/qemu/{vmid}/agent/file-write", "nothing lies inside: 501"),
    ("POST /nodes/{node}/qemu/{vmid}/agent/set-user-password", "nobody is inside: 501"),
    ("POST /nodes/{node}/qemu/{vmid}/monitor", "a machine that runs has none: 501"),
];

type Pairs = BTreeMap<String, String>;

struct Site {
    simulator: Simulator,
    clock: Clock,
}

impl Site {
    fn of(release: Release) -> Self {
        let clock = Clock::starting_at(1_795_269_900_000);
        let simulator = Simulator::by(&calls::site(release), None, Timing::Fast, clock.clone()).unwrap();
        Self { simulator, clock }
    }

    fn answer(&self, verb: &str, path: &str, given: &Pairs) -> Result<Value, String> {
        let raw = given.iter().map(|(k, v)| (k.clone(), Value::String(v.clone()))).collect();
        // The same again says what is wrong with each parameter.
        let told = |short| self.simulator.as_root(verb, path, given.clone()).err().unwrap_or(short);
        self.simulator.at_console(verb, path, raw).map_err(told)
    }

    /// Root's own call, and its task to the end.
    async fn call(&self, verb: &str, path: &str, given: &Pairs) -> Result<(), String> {
        let answer = self.answer(verb, path, given)?;
        let Some(upid) = answer.as_str().filter(|a| a.starts_with("UPID:")) else { return Ok(()) };
        loop {
            let status = self.answer("GET", &format!("/nodes/pve1/tasks/{upid}/status"), &Pairs::new())?;
            match status["exitstatus"].as_str() {
                Some(exit) if exit == "OK" || exit.starts_with("WARNINGS") => return Ok(()),
                Some(exit) => return Err(exit.to_string()),
                None => self.clock.wait(200).await,
            }
        }
    }

    fn config(&self, kind: &str, vmid: &str) -> Value {
        self.answer("GET", &format!("/nodes/pve1/{kind}/{vmid}/config"), &Pairs::new()).unwrap_or_default()
    }
}

/// A value that the schema takes, and what it needs beside it.
fn sample(endpoint: &str, name: &str, schema: &Schema) -> Option<(String, Pairs)> {
    let is_of = |of: &str| if of.contains(' ') { endpoint == of } else { endpoint.contains(of) };
    let chosen = SAMPLES.iter().find(|(of, n, ..)| *n == name && is_of(of));
    if let Some((_, _, value, beside)) = chosen {
        return Some((value.to_string(), beside.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect()));
    }
    let first = schema.one_of.as_ref().and_then(|all| all.first()).and_then(Value::as_str);
    let plain = match schema.kind.as_deref() {
        _ if first.is_some() => first.unwrap_or_default().to_string(),
        Some("boolean") => "1".into(),
        Some("integer" | "number") => {
            let least = schema.minimum.as_ref().map(|m| m.as_str().map_or_else(|| m.to_string(), str::to_string));
            least.filter(|m| m != "0").unwrap_or_else(|| "1".into())
        }
        _ => return None,
    };
    Some((plain, Pairs::new()))
}

/// What stands for something else, replaced.
fn resolved(site: &Site, call: &Sound, value: &str) -> String {
    let digest = |vmid: &str| {
        let kind = if call.at.contains("/lxc/") { "lxc" } else { "qemu" };
        site.config(kind, vmid)["digest"].as_str().unwrap_or_default().to_string()
    };
    match value {
        "@key" => percent_encoding::utf8_percent_encode(KEY, percent_encoding::NON_ALPHANUMERIC).to_string(),
        "@digest" => digest(call.at.split('/').nth(4).unwrap_or_default()),
        "@backup" => {
            let list = "/nodes/pve1/storage/local/content";
            let found = site.answer("GET", list, &[("content".to_string(), "backup".to_string())].into()).unwrap();
            let mut made = found.as_array().into_iter().flatten().filter_map(|row| row["volid"].as_str());
            made.rfind(|volid| *volid != BACKUP).unwrap_or_default().to_string()
        }
        "SUM" => "ab".repeat(32),
        other => other.strip_prefix("@digest:").map_or_else(|| other.to_string(), digest),
    }
}

/// The guest whose config a call writes: its kind and number.
fn writes(call: &Sound) -> Option<(&'static str, String)> {
    let kind = if call.endpoint.contains("/lxc") { "lxc" } else { "qemu" };
    let vmid = match call.endpoint {
        "POST /nodes/{node}/lxc" | "POST /nodes/{node}/qemu" => call.given.iter().find(|(k, _)| *k == "vmid")?.1,
        e if e.ends_with("/{vmid}/config") => call.at.split('/').nth(4)?,
        _ => return None,
    };
    Some((kind, vmid.to_string()))
}

struct Walk {
    release: Release,
    wrong: Vec<String>,
    /// Rows of the tables of refusals and exceptions that were met.
    met: BTreeSet<(&'static str, &'static str)>,
    tried: usize,
}

impl Walk {
    async fn prepared(&self, call: &Sound) -> Site {
        let site = Site::of(self.release);
        for (verb, path, given) in call.before {
            let given = given.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
            site.call(verb, path, &given).await.unwrap_or_else(|why| panic!("{verb} {path}: {why}"));
        }
        site
    }

    async fn one(&mut self, call: &Sound, name: &str, schema: &Schema) {
        let Some((value, beside)) = sample(call.endpoint, name, schema) else {
            return self.wrong.push(format!("{}: {name} has no value to try", call.endpoint));
        };
        let site = self.prepared(call).await;
        let (verb, _) = call.endpoint.split_once(' ').unwrap();
        // `net[n]`: one that is not there yet.
        let key = name.replace("[n]", "0");
        let mut given: Pairs = call.given.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        given.extend(beside);
        given.insert(key.clone(), value);
        if given.contains_key("target-vmid") {
            given.remove("storage");
        }
        given.values_mut().for_each(|v| *v = resolved(&site, call, v));
        self.tried += 1;
        let outcome = site.call(verb, call.at, &given).await;
        let refused = REFUSED.iter().find(|(e, n, _)| call.endpoint == *e && *n == name);
        match (outcome, refused) {
            (Err(why), Some((endpoint, name, reason))) if why.contains(reason) => {
                self.met.insert((endpoint, name));
            }
            (Err(why), _) if why.starts_with("not simulated: ") && !why.contains("nobody has looked at it") => {}
            (Err(why), _) => self.wrong.push(format!("{}: {key}={}: {why}", call.endpoint, given[&key])),
            (Ok(()), Some(_)) => self.wrong.push(format!("{}: {key} is not refused", call.endpoint)),
            (Ok(()), None) => self.read_back(&site, call, name, &key),
        }
    }

    /// An option that was taken stands in the config.
    fn read_back(&mut self, site: &Site, call: &Sound, name: &str, key: &str) {
        let Some((kind, vmid)) = writes(call) else { return };
        let facts = self.release.facts();
        let options = facts.method("PUT", &format!("/nodes/{{node}}/{kind}/{{vmid}}/config")).unwrap();
        if !options.parameters.properties.contains_key(name) || site.config(kind, &vmid).get(key).is_some() {
            return;
        }
        match NOT_READ_BACK.iter().find(|(n, _)| *n == name) {
            Some((name, why)) => drop(self.met.insert((why, name))),
            None => self.wrong.push(format!("{}: {key} is taken and does not stand in the config", call.endpoint)),
        }
    }

    async fn call(&mut self, call: &Sound, method: &Method) {
        let in_path = |name: &str| call.endpoint.contains(&format!("{{{name}}}"));
        let needed = |name: &str| call.given.iter().any(|(k, _)| *k == name);
        // What it needs is looked at.
        if !call.given.is_empty() {
            let (verb, _) = call.endpoint.split_once(' ').unwrap();
            let given = call.given.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
            if let Err(why) = self.prepared(call).await.call(verb, call.at, &given).await {
                self.wrong.push(format!("{}: {why}", call.endpoint));
            }
        }
        for (name, schema) in &method.parameters.properties {
            if !in_path(name) && !needed(name) {
                self.one(call, name, schema).await;
            }
        }
    }
}

fn is_walked(verb: &str, path: &str) -> bool {
    let family = FAMILIES.iter().any(|f| path == *f || path.starts_with(&format!("{f}/")));
    family && verb != "GET" && !path.contains("/firewall")
}

#[tokio::test]
async fn no_parameter_is_accepted_in_silence() {
    let mut wrong = vec![];
    for release in [Release::V9_2_11, Release::V8_4_21] {
        let facts = release.facts();
        let mut walk = Walk { release, wrong: vec![], met: BTreeSet::new(), tried: 0 };
        for call in SOUND {
            let (verb, path) = call.endpoint.split_once(' ').unwrap();
            let Some(method) = facts.method(verb, path) else { continue };
            walk.call(call, method).await;
        }
        for endpoint in api::all().filter(|e| is_walked(e.verb, e.path)) {
            let name = format!("{} {}", endpoint.verb, endpoint.path);
            let Some(method) = facts.method(endpoint.verb, endpoint.path) else { continue };
            let own = method.parameters.properties.keys().any(|p| !name.contains(&format!("{{{p}}}")));
            let known = SOUND.iter().any(|c| c.endpoint == name) || ELSEWHERE.iter().any(|(e, _)| *e == name);
            if own && !known {
                walk.wrong.push(format!("{name} is not walked through"));
            }
        }
        println!("{release:?}: {} parameters tried", walk.tried);
        wrong.extend(walk.wrong.iter().map(|why| format!("{release:?} {why}\n")));
        if release.is_9() {
            let rows = REFUSED.iter().map(|(e, n, _)| (*e, *n)).chain(NOT_READ_BACK.iter().map(|(n, why)| (*why, *n)));
            let idle: Vec<_> = rows.filter(|row| !walk.met.contains(row)).collect();
            wrong.extend(idle.iter().map(|row| format!("nothing meets the row {row:?}\n")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.concat());
}

/// A shutdown that waits for its guest is ended by a stop that overrules it, and by no other.
#[tokio::test]
async fn a_stop_overrules_a_shutdown_where_it_says_so() {
    for (kind, vmid) in [("lxc", 102), ("qemu", 202)] {
        for overrules in ["0", "1"] {
            let clock = Clock::starting_at(1_795_269_900_000);
            let seed = calls::site(Release::default());
            let site = Site { simulator: Simulator::by(&seed, None, Timing::Real, clock.clone()).unwrap(), clock };
            let of = |verb: &str| format!("/nodes/pve1/{kind}/{vmid}/status/{verb}");
            let shutdown = site.answer("POST", &of("shutdown"), &Pairs::new()).unwrap();
            let given = [("overrule-shutdown".to_string(), overrules.to_string())].into();
            let stop = site.answer("POST", &of("stop"), &given).unwrap();
            let of = |upid: &Value| format!("/nodes/pve1/tasks/{}/status", upid.as_str().unwrap());
            let status = site.answer("GET", &of(&shutdown), &Pairs::new()).unwrap();
            let expected = if overrules == "1" { "stopped" } else { "running" };
            assert_eq!(status["status"], expected, "{kind}: {status}");
            while site.answer("GET", &of(&stop), &Pairs::new()).unwrap()["status"] == "running" {
                site.clock.wait(500).await;
            }
            assert!(!site.simulator.guest(vmid).unwrap().running);
        }
    }
}

/// What the cluster runs is stopped by asking the cluster, and destroyed only with a purge of what it knows.
#[tokio::test]
async fn a_guest_of_the_cluster_is_neither_overruled_nor_destroyed_in_passing() {
    let site = Site::of(Release::default());
    let none = Pairs::new();
    let given = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect::<Pairs>();
    let template = "local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst";
    let new = given(&[("vmid", "109"), ("ostemplate", template), ("rootfs", "local:1"), ("ha-managed", "1")]);
    site.call("POST", "/nodes/pve1/lxc", &new).await.unwrap();
    assert_eq!(site.answer("GET", "/cluster/ha/resources/ct:109", &none).unwrap()["state"], "stopped");
    let why = site.call("DELETE", "/nodes/pve1/lxc/109", &none).await.unwrap_err();
    assert_eq!(why, "unable to remove CT 109 - used in HA resources and purge parameter not set.");
    site.call("DELETE", "/nodes/pve1/lxc/109", &given(&[("purge", "1")])).await.unwrap();
    assert!(site.answer("GET", "/cluster/ha/resources/ct:109", &none).is_err());

    site.call("POST", "/cluster/ha/resources", &given(&[("sid", "vm:202")])).await.unwrap();
    let overrule = given(&[("overrule-shutdown", "1")]);
    let why = site.call("POST", "/nodes/pve1/qemu/202/status/stop", &overrule).await.unwrap_err();
    assert!(why.contains("Not applicable for HA resources."), "{why}");
    let why = site.call("DELETE", "/nodes/pve1/qemu/202", &none).await.unwrap_err();
    assert_eq!(why, "unable to remove VM 202 - used in HA resources and purge parameter not set.");
    // Of 8.4 it is no parameter.
    let why = Site::of(Release::V8_4_21).call("POST", "/nodes/pve1/lxc", &new).await.unwrap_err();
    assert!(why.contains("ha-managed: property is not defined in schema"), "{why}");
}

/// A copy ends up on the node that it was made for, out of the snapshot that it was made from.
#[tokio::test]
async fn a_copy_of_a_container_is_of_its_snapshot_and_on_its_node() {
    let site = Site::of(Release::default());
    let given = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect::<Pairs>();
    site.call("POST", "/nodes/pve1/lxc/104/snapshot", &given(&[("snapname", "s1")])).await.unwrap();
    site.call("PUT", "/nodes/pve1/lxc/104/config", &given(&[("memory", "2048")])).await.unwrap();
    let copy = given(&[("newid", "109"), ("snapname", "s1"), ("target", "pve2"), ("full", "1")]);
    site.call("POST", "/nodes/pve1/lxc/104/clone", &copy).await.unwrap();
    let config = site.answer("GET", "/nodes/pve2/lxc/109/config", &Pairs::new()).unwrap();
    assert_eq!(config["memory"], 512, "{config}");
    let local = given(&[("newid", "110"), ("target", "pve2")]);
    let why = site.call("POST", "/nodes/pve1/lxc/101/clone", &local).await.unwrap_err();
    assert_eq!(why, "can't clone CT to node 'pve2' (CT uses local storage)");
    let why = site
        .call(
            "POST",
            "/nodes/pve1/lxc/104/clone",
            &given(&[("newid", "110"), ("target", "pve2"), ("storage", "other")]),
        )
        .await
        .unwrap_err();
    assert_eq!(why, "can't clone to non-shared storage 'other'");
}

/// The disks of a running machine stay, and it with them, unless they may move too.
#[tokio::test]
async fn a_running_machine_with_local_disks_moves_when_they_may() {
    let site = Site::of(Release::default());
    let given = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect::<Pairs>();
    let path = "/nodes/pve1/qemu/202/migrate";
    let online = given(&[("target", "pve2"), ("online", "1")]);
    assert_eq!(site.call("POST", path, &online).await.unwrap_err(), "migration aborted");
    assert_eq!(site.simulator.guest(202).unwrap().node, "pve1");
    let with = given(&[("target", "pve2"), ("online", "1"), ("with-local-disks", "1")]);
    site.call("POST", path, &with).await.unwrap();
    assert_eq!(site.simulator.guest(202).unwrap().node, "pve2");
}

/// The file that comes is held against its checksum, by whichever algorithm.
#[tokio::test]
async fn an_upload_is_held_against_its_checksum() {
    use super::client::{Client, encode, request};
    use sha2::{Digest, Sha512};
    let client = Client::fast();
    let file = "an image";
    let right: String = Sha512::digest(file).iter().map(|b| format!("{b:02x}")).collect();
    let upload = async |algorithm: &str, sum: &str| {
        let mut body = String::new();
        for (name, value) in [("content", "iso"), ("checksum-algorithm", algorithm), ("checksum", sum)] {
            body += &format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        }
        let head = "Content-Disposition: form-data; name=\"filename\"; filename=\"a.iso\"";
        body += &format!("--x\r\n{head}\r\n\r\n{file}\r\n--x--\r\n");
        let mut request = request("POST", "/nodes/pve1/storage/local/upload", None);
        request.headers.push(("content-type".into(), "multipart/form-data; boundary=x".into()));
        request.body = body.into();
        let (reply, body) = client.send(request).await;
        if reply.status != 200 {
            return body["message"].as_str().unwrap_or_default().to_string();
        }
        client.clock.wait(1000).await;
        let path = format!("/nodes/pve1/tasks/{}/status", encode(body["data"].as_str().unwrap()));
        client.get(&path).await["exitstatus"].as_str().unwrap_or_default().to_string()
    };
    let why = upload("sha512", &"0".repeat(128)).await;
    assert_eq!(why, format!("checksum mismatch: got '{right}' != expect '{}'", "0".repeat(128)));
    assert_eq!(upload("md5", &"0".repeat(32)).await, "not simulated: the checksum md5 of an upload");
    assert_eq!(upload("sha512", &right).await, "OK");
}
