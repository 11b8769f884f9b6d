//! Another machine through the system's `ssh`: its keys, agents, jump hosts and configuration are the operator's own.
use super::{Limits, Output, failure, local};
use crate::model::{Answer, Class, Failure};
use bytes::Bytes;
use std::{path::PathBuf, time::Duration};

/// How to reach a node by ssh. The host's key must stand in `known_hosts`; it is never accepted unseen.
#[derive(Clone, Debug)]
pub struct Ssh {
    /// `root@10.0.1.1`, or a name from the operator's ssh configuration.
    pub destination: String,
    pub port: Option<u16>,
    /// The private key file; without it, ssh's own choice.
    pub key: Option<PathBuf>,
    pub known_hosts: Option<PathBuf>,
    /// Where the shared connection's socket lives; only this user may enter it.
    pub control_directory: PathBuf,
    /// The client program, normally `ssh`.
    pub program: String,
}

/// The remote shell writes this when the command itself ended with 255, which ssh also uses for its own failures.
const OWN_255: &str = "trueup: the command ended with 255";

impl Ssh {
    /// With the system's `ssh` and nothing special.
    pub fn to(destination: impl Into<String>, control_directory: impl Into<PathBuf>) -> Self {
        Self {
            destination: destination.into(),
            port: None,
            key: None,
            known_hosts: None,
            control_directory: control_directory.into(),
            program: "ssh".to_owned(),
        }
    }

    fn arguments(&self, argv: &[&str]) -> Vec<String> {
        let mut all = vec![self.program.clone(), "-T".to_owned()];
        let mut option = |text: String| all.extend(["-o".to_owned(), text]);
        option("BatchMode=yes".into());
        option("StrictHostKeyChecking=yes".into());
        option("ConnectTimeout=10".into());
        option("ServerAliveInterval=5".into());
        option("ServerAliveCountMax=3".into());
        option("ControlMaster=auto".into());
        option("ControlPersist=60".into());
        option(format!("ControlPath={}/%C", self.control_directory.display()));
        if let Some(file) = &self.known_hosts {
            option(format!("UserKnownHostsFile={}", file.display()));
            option("GlobalKnownHostsFile=/dev/null".into());
        }
        if let Some(key) = &self.key {
            option("IdentitiesOnly=yes".into());
            all.extend(["-i".to_owned(), key.display().to_string()]);
        }
        if let Some(port) = self.port {
            all.extend(["-p".to_owned(), port.to_string()]);
        }
        all.extend(["--".to_owned(), self.destination.clone(), remote_line(argv)]);
        all
    }

    pub(super) async fn run(&self, argv: &[&str], stdin: Bytes, limits: Limits) -> Answer<Output> {
        let attempted = format!("{} on {}", failure::name_of(argv), self.destination);
        let whole = self.arguments(argv);
        let whole: Vec<&str> = whole.iter().map(String::as_str).collect();
        let limits = Limits { timeout: limits.timeout + Duration::from_secs(1), ..limits };
        let mut output = local::run(&whole, stdin, limits, &attempted).await?;
        if output.status != 255 {
            return Ok(output);
        }
        let complaint = output.complaint();
        if let Some(own) = complaint.strip_suffix(OWN_255) {
            output.stderr = Bytes::copy_from_slice(own.trim_end().as_bytes());
            return Ok(output);
        }
        Err(refusal(attempted, &complaint))
    }
}

/// Tells apart what ssh says before it has run anything from a connection that broke midway.
fn refusal(attempted: String, complaint: &str) -> Failure {
    let last = complaint.lines().last().unwrap_or("ssh ended with 255 and said nothing").to_owned();
    let says = |texts: &[&str]| texts.iter().any(|t| complaint.contains(t));
    if says(&["Host key verification failed", "REMOTE HOST IDENTIFICATION HAS CHANGED"]) {
        Failure::new(Class::Denied, attempted, last)
            .hint("put the host's key into the known_hosts file of the Site, after checking it")
    } else if says(&["Permission denied ("]) {
        Failure::new(Class::Denied, attempted, last)
            .hint("check the key file, and that its public half is in authorized_keys there")
    } else if says(&[
        "ssh: connect to host",
        "ssh: Could not resolve",
        "kex_exchange_identification",
        "banner exchange",
    ]) {
        Failure::new(Class::Unreachable, attempted, last)
    } else {
        Failure::new(Class::UnknownOutcome, attempted, last)
    }
}

/// What the shell on the other side is given: each word quoted, and a mark when 255 is the command's own status.
fn remote_line(argv: &[&str]) -> String {
    let words: Vec<String> = argv.iter().map(|word| quoted(word)).collect();
    format!("{}; s=$?; [ $s -ne 255 ] || echo '{OWN_255}' >&2; exit $s", words.join(" "))
}

/// In single quotes a POSIX shell takes everything as it stands, except the single quote itself.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_reach_the_other_shell_as_they_are() {
        assert_eq!(quoted("a'b; $(reboot)"), r"'a'\''b; $(reboot)'");
    }

    #[test]
    fn a_refused_login_is_not_an_unknown_outcome() {
        let class = |text| refusal("run `true`".into(), text).class;
        assert_eq!(class("root@10.0.1.1: Permission denied (publickey)."), Class::Denied);
        assert_eq!(class("Host key verification failed."), Class::Denied);
        assert_eq!(class("ssh: connect to host 10.0.1.1 port 22: Connection refused"), Class::Unreachable);
        assert_eq!(class("client_loop: send disconnect: Broken pipe"), Class::UnknownOutcome);
    }
}
