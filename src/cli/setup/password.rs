//! A password, from a file or from a person at the terminal. It is in no argument and no variable.
use crate::model::{Answer, Class, Failure};
use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use secrecy::SecretString;
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
};
use zeroize::Zeroizing;

/// From a file: its first line.
pub(super) fn from_file(path: &Path) -> Answer<SecretString> {
    let attempted = format!("read the password in {}", path.display());
    let text = fs::read_to_string(path).map_err(|e| Failure::new(Class::Invalid, &attempted, e.to_string()))?;
    let text = Zeroizing::new(text);
    match text.lines().next().filter(|line| !line.is_empty()) {
        Some(line) => Ok(SecretString::from(line)),
        None => Err(Failure::new(Class::Invalid, attempted, "it is configured but empty")),
    }
}

/// From the terminal, without showing it.
pub(super) fn from_terminal(user: &str) -> Answer<SecretString> {
    let attempted = format!("ask for the password of {user}");
    let hint = "give it in a file (--password-file), or run this on the node (`host:` in the Site)";
    let failed = |why: String| Failure::new(Class::Invalid, &attempted, why).hint(hint);
    let open = || fs::OpenOptions::new().read(true).write(true).open("/dev/tty");
    let mut terminal = open().map_err(|e| failed(format!("there is no terminal ({e})")))?;
    let shown = tcgetattr(&terminal).map_err(|e| failed(e.to_string()))?;
    let mut hidden = shown.clone();
    hidden.local_flags.remove(LocalFlags::ECHO);
    let ask = |terminal: &mut fs::File| -> std::io::Result<Zeroizing<String>> {
        write!(terminal, "Password of {user} at Proxmox VE: ")?;
        tcsetattr(&*terminal, SetArg::TCSAFLUSH, &hidden)?;
        let mut line = Zeroizing::new(String::new());
        let read = BufReader::new(&*terminal).read_line(&mut line);
        tcsetattr(&*terminal, SetArg::TCSAFLUSH, &shown)?;
        writeln!(terminal)?;
        read.map(|_| line)
    };
    let line = ask(&mut terminal).map_err(|e| failed(e.to_string()))?;
    match line.trim_end_matches(['\n', '\r']) {
        "" => Err(failed("none was typed".into())),
        line => Ok(SecretString::from(line)),
    }
}
