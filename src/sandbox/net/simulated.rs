//! The node's network where there is no namespace: kernel parameters are a table, and there are no packets.
use crate::{
    providers::host::{Limits, Output},
    sandbox::{host::Ground, net::Layout, nft_simulated::NftSimulated},
};
use bytes::Bytes;
use serde_json::json;
use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{Mutex, PoisonError},
};

/// nft by simulation, `sysctl` and `conntrack` as far as the product uses them, addresses from the layout.
pub struct Simulated {
    nft: Mutex<NftSimulated>,
    layout: Layout,
    parameters: Mutex<BTreeMap<String, String>>,
}

impl Simulated {
    /// With the ruleset that is in force, on a node of this layout.
    pub fn new(nft: NftSimulated, layout: Layout) -> Self {
        let forwarding = if layout.forwarding { "1" } else { "0" };
        let parameters = [
            ("net.ipv4.ip_forward", forwarding),
            ("net.ipv6.conf.all.forwarding", forwarding),
            ("net.bridge.bridge-nf-call-iptables", "0"),
            ("net.bridge.bridge-nf-call-ip6tables", "0"),
        ];
        let parameters = parameters.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        Self { nft: Mutex::new(nft), layout, parameters: Mutex::new(parameters) }
    }

    /// The ruleset as it is, to be kept.
    pub fn nft(&self) -> NftSimulated {
        self.nft.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn sysctl(&self, arguments: &[&str]) -> Output {
        let mut parameters = self.parameters.lock().unwrap_or_else(PoisonError::into_inner);
        let bare = arguments.contains(&"-n") || arguments.contains(&"-nw") || arguments.contains(&"-wn");
        let (mut said, mut wrong) = (String::new(), String::new());
        for word in arguments.iter().filter(|word| !word.starts_with('-')) {
            let (key, new) =
                word.split_once('=').map_or((*word, None), |(key, value)| (key.trim(), Some(value.trim())));
            let key = key.replace('/', ".");
            match parameters.get_mut(&key) {
                None => wrong.push_str(&format!(
                    "sysctl: cannot stat /proc/sys/{}: No such file or directory\n",
                    key.replace('.', "/")
                )),
                Some(value) => {
                    if let Some(new) = new {
                        new.clone_into(value);
                    }
                    said.push_str(&if bare { format!("{value}\n") } else { format!("{key} = {value}\n") });
                }
            }
        }
        Output { status: i32::from(!wrong.is_empty()), stdout: said.into(), stderr: wrong.into() }
    }

    /// `ip -j address`, the only thing about interfaces that can be asked here.
    fn ip(&self, arguments: &[&str]) -> Output {
        let words: Vec<&str> = arguments.iter().copied().filter(|word| !word.starts_with('-')).collect();
        let asked = matches!(words[..], ["address" | "addr" | "a"] | ["address" | "addr" | "a", "show" | "list"]);
        if !asked || !arguments.iter().any(|word| matches!(*word, "-j" | "-json" | "--json")) {
            return failed(1, "the sandbox without namespaces answers only `ip -j address`");
        }
        let interface = |index: usize, name: &str, addresses: Vec<ipnet::IpNet>| {
            let addresses: Vec<_> = addresses
                .into_iter()
                .map(|a| {
                    let family = if a.addr().is_ipv6() { "inet6" } else { "inet" };
                    json!({ "family": family, "local": a.addr(), "prefixlen": a.prefix_len(), "scope": "global" })
                })
                .collect();
            json!({ "ifindex": index, "ifname": name, "operstate": "UP", "addr_info": addresses })
        };
        let guests = self.layout.guests.iter().map(|g| g.gateway).collect();
        let all = json!([
            interface(2, &self.layout.public_interface, self.layout.public.clone()),
            interface(3, &self.layout.guest_interface, guests),
        ]);
        Output { stdout: format!("{all}\n").into(), ..Output::default() }
    }
}

impl Ground for Simulated {
    fn run(&self, argv: Vec<String>, stdin: Bytes, _: Limits) -> Pin<Box<dyn Future<Output = Output> + Send + '_>> {
        let words: Vec<&str> = argv.iter().map(String::as_str).collect();
        let output = match words[..] {
            ["nft", "flush", "ruleset"] => {
                self.nft.lock().unwrap_or_else(PoisonError::into_inner).flush_ruleset();
                Output::default()
            }
            ["nft", ..] => self.nft.lock().unwrap_or_else(PoisonError::into_inner).run(&words, &stdin),
            ["sysctl", ref rest @ ..] => self.sysctl(rest),
            ["ip", ref rest @ ..] => self.ip(rest),
            ["conntrack", "-D", ..] => {
                failed(1, "conntrack v1.4.7 (conntrack-tools): 0 flow entries have been deleted.")
            }
            [program, ..] => failed(127, format!("{program}: command not found")),
            [] => failed(1, "no command"),
        };
        Box::pin(std::future::ready(output))
    }
}

fn failed(status: i32, text: impl Into<String>) -> Output {
    Output { status, stderr: Bytes::from(format!("{}\n", text.into())), ..Output::default() }
}
