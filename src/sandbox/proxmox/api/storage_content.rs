//! Writing the content of storages: allocating, uploading.
use super::storage::{may_use, name_of, of, path, volume};
use crate::sandbox::proxmox::{
    call::{Answer, Call, Endpoint, on},
    formats,
    refusal::{Refusal, Result},
    state::Volume,
    task::Work,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

pub const ENDPOINTS: &[Endpoint] = &[
    on("POST", "/nodes/{node}/storage/{storage}/content", allocate),
    on("GET", "/nodes/{node}/storage/{storage}/content/{volume}", show),
    on("PUT", "/nodes/{node}/storage/{storage}/content/{volume}", mark),
    on("POST", "/nodes/{node}/storage/{storage}/upload", upload),
];

/// The volume id of the path, whether or not the storage stands in it.
pub fn volid(call: &Call<'_>) -> String {
    let (storage, named) = (call.arg("storage").unwrap_or_default(), call.arg("volume").unwrap_or_default());
    if named.contains(':') { named.into() } else { format!("{storage}:{named}") }
}

fn allocate(call: &mut Call<'_>) -> Result<Answer> {
    let storage = call.arg("storage").unwrap_or_default().to_string();
    let (vmid, file) = (call.vmid(), call.arg("filename").unwrap_or_default().to_string());
    // A bare number is in KiB.
    let size = call.arg("size").unwrap_or_default();
    let size = if size.ends_with(['M', 'G']) { formats::bytes(size) } else { formats::bytes(&format!("{size}K")) };
    of(call.world, &storage)?;
    let named = file.rsplit_once('.').map(|(_, e)| e).filter(|e| matches!(*e, "raw" | "qcow2" | "vmdk" | "subvol"));
    if let Some((format, named)) = call.arg("format").zip(named).filter(|(format, named)| format != named) {
        return Err(Refusal::parameter("format", format!("different storage formats ({format} != {named})")));
    }
    let format = named.or(call.arg("format")).unwrap_or("raw").to_string();
    let volid = format!("{storage}:{vmid}/{file}");
    name_of(call.world, &volid)?;
    if volume(call.world, &volid).is_ok() {
        return Err(Refusal::die(format!("disk image '{}' already exists", path(call.world, &volid))));
    }
    let created = call.world.now / 1000;
    let made = Volume {
        content: "images".into(),
        format,
        size: size.unwrap_or_default(),
        vmid: Some(vmid),
        created,
        ..Volume::default()
    };
    if let Some(storage) = call.world.state.storages.get_mut(&storage) {
        storage.volumes.insert(volid.clone(), made);
    }
    call.world.touched = true;
    Ok(json!(volid).into())
}

fn show(call: &mut Call<'_>) -> Result<Answer> {
    let volid = volid(call);
    name_of(call.world, &volid)?;
    let failed = |_| Refusal::die(format!("volume_size_info on '{volid}' failed - no format"));
    let found = volume(call.world, &volid).map_err(failed)?;
    // A file that is no image is looked at as if it were a raw one, in whole sectors.
    let image = found.vmid.is_some() && found.content != "backup";
    let size = if image { found.size } else { found.size.div_ceil(512) * 512 };
    let format = if image { found.format.as_str() } else { "raw" };
    let used = if image { size / 16 } else { size + 512 };
    let mut row = json!({"path": path(call.world, &volid), "size": size, "used": used, "format": format});
    if let Some(notes) = &found.notes {
        row["notes"] = json!(notes);
    }
    if found.content == "backup" {
        row["protected"] = json!(i32::from(found.protected));
    }
    Ok(row.into())
}

fn mark(call: &mut Call<'_>) -> Result<Answer> {
    let volid = volid(call);
    let name = name_of(call.world, &volid)?;
    if name.kind != "backup" {
        let what = if call.arg("notes").is_some() { "notes" } else { "protected" };
        return Err(Refusal::die(format!("attribute '{what}' is not supported for volume '{volid}'")));
    }
    may_use(call.world, &call.who, None, &volid, name.kind)?;
    let (notes, protected) = (call.arg("notes").map(str::to_string), call.arg("protected").map(|p| p == "1"));
    let missing = || Refusal::die(format!("volume '{volid}' does not exist"));
    let storage = call.world.state.storages.get_mut(&name.storage);
    let found = storage.and_then(|s| s.volumes.get_mut(&volid)).ok_or_else(missing)?;
    found.notes = notes.or(found.notes.take());
    found.protected = protected.unwrap_or(found.protected);
    call.world.touched = true;
    Ok(Value::Null.into())
}

/// The file's name as it is stored, and its format.
///
/// # Errors
/// 400 when the name does not end as this content's names end.
pub fn stored(content: &str, given: &str) -> Result<(String, &'static str)> {
    let base = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.+".contains(c) { c } else { '_' };
    let name: String = base.chars().map(plain).collect();
    let endings: &[(&str, &str)] = match content {
        "vztmpl" => &[(".tar.gz", "tgz"), (".tar.xz", "txz"), (".tar.zst", "tzst")],
        "iso" => &[(".iso", "iso"), (".img", "iso")],
        _ => &[(".qcow2", "qcow2"), (".raw", "raw"), (".vmdk", "vmdk"), (".ova", "ova")],
    };
    match endings.iter().find(|(ending, _)| name.ends_with(ending)) {
        Some((_, format)) => Ok((name, format)),
        None => Err(Refusal::parameter("filename", "wrong file extension")),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// The checksum of a file by one of the algorithms that the real one has.
fn sum_of(algorithm: &str, file: &[u8]) -> Result<String> {
    Ok(match algorithm {
        "sha224" => hex(&Sha224::digest(file)),
        "sha256" => hex(&Sha256::digest(file)),
        "sha384" => hex(&Sha384::digest(file)),
        "sha512" => hex(&Sha512::digest(file)),
        other => return Err(Refusal::not_simulated(format!("the checksum {other} of an upload"))),
    })
}

fn upload(call: &mut Call<'_>) -> Result<Answer> {
    let storage = call.arg("storage").unwrap_or_default().to_string();
    let content = call.arg("content").unwrap_or_default().to_string();
    of(call.world, &storage)?;
    let (name, format) = stored(&content, call.arg("filename").unwrap_or_default())?;
    let Some((_, file)) = call.upload.take() else {
        return Err(Refusal::parameter("filename", "property is missing and it is not optional"));
    };
    let volid = format!("{storage}:{content}/{name}");
    let temporary = format!("/var/tmp/pveupload-{}", call.world.uuid().replace('-', ""));
    let mut note = vec![format!("starting file import from: {temporary}")];
    let (node, who, target) = (call.node(), call.who.clone(), path(call.world, &volid));
    let expected = call.arg("checksum-algorithm").zip(call.arg("checksum"));
    let expected = expected.map(|(algorithm, digits)| Ok((digits, sum_of(algorithm, &file)?))).transpose()?;
    let sum = hex(&Sha256::digest(&file));
    let work = match expected.filter(|(digits, sum)| !digits.eq_ignore_ascii_case(sum)) {
        Some((expected, sum)) => {
            note.push("calculating checksum...".into());
            Work::Fails { why: format!("checksum mismatch: got '{sum}' != expect '{expected}'"), log: note }
        }
        None => {
            note.push(format!("target node: {node}"));
            note.push(format!("target file: {target}"));
            note.push(format!("file size is: {}", file.len()));
            note.push(format!("command: cp -- {temporary} {target}"));
            note.push("finished file import successfully".into());
            let sums = [("sha256".to_string(), sum)].into();
            Work::StoreVolume { volid, content, format: format.into(), size: file.len() as u64, sums, note }
        }
    };
    Ok(json!(call.world.fork(&node, "imgcopy", "", &who, work, None)).into())
}
