//! `pct set`, as root at the node's own console runs it.
use crate::providers::host::Output;
use bytes::Bytes;
use std::collections::BTreeMap;

/// Sets and removes options of a container on this node, with all rights; the error as `pct` prints it.
pub type SetOptions = Box<dyn Fn(u32, BTreeMap<String, String>) -> Result<(), String> + Send + Sync>;

/// `pct set VMID --key value …` (pve-container 6).
pub fn set(options: &SetOptions, vmid: &str, words: &[&str]) -> Output {
    let outcome = match (vmid.parse::<u32>(), parse(words)) {
        (Err(_), _) => Err("400 Parameter verification failed.\nvmid: invalid format".to_owned()),
        (_, Err(why)) => Err(why),
        (Ok(vmid), Ok(given)) => options(vmid, given),
    };
    match outcome {
        Ok(()) => Output::default(),
        Err(why) => Output { status: 255, stderr: Bytes::from(format!("{why}\n")), ..Output::default() },
    }
}

/// `--key value` and `--key=value`, with one or two dashes.
fn parse(words: &[&str]) -> Result<BTreeMap<String, String>, String> {
    let mut given = BTreeMap::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let Some(key) = word.strip_prefix("--").or(word.strip_prefix('-')) else {
            return Err("400 too many arguments".into());
        };
        let (key, value) = match key.split_once('=') {
            Some((key, value)) => (key, value),
            None => (key, *words.next().ok_or_else(|| format!("Option {key} requires an argument"))?),
        };
        given.insert(key.to_owned(), value.to_owned());
    }
    Ok(given)
}
