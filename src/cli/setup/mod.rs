//! `trueup setup`: what is done once, before the first pass.
mod account;
mod authority;
mod password;
mod secret_file;
mod token;

use super::screen::Screen;
use crate::{
    providers::proxmox::{Grant, Release},
    report::Exit,
};
use clap::{Args, Subcommand};
use serde_json::Value;

/// Prepare Proxmox VE for the first pass
#[derive(Args, Debug)]
pub(super) struct Setup {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    Token(token::Token),
}

impl Setup {
    pub fn run(self, screen: &Screen) -> anyhow::Result<Exit> {
        match self.what {
            What::Token(token) => token.run(screen),
        }
    }
}

/// How a missing grant is mended: by this command, or by hand.
/// `roles`: what Proxmox lists as such.
pub(super) fn mend(grant: &Grant, release: Release, token: &str, roles: &Value) -> String {
    let (user, name) = token.split_once('!').unwrap_or((token, ""));
    let wanted = account::Account { user: user.into(), grants: [grant.clone()].into(), release };
    let mut seen = account::Seen::default();
    // Where they could not be listed, the role is made.
    let _ = seen.set_roles(roles);
    seen.users.insert(user.into());
    seen.tokens.insert(name.into());
    let by_hand: Vec<String> = wanted.acts(&seen, name).iter().map(account::Act::command).collect();
    format!("run `trueup setup token`; by hand on the node: {}", by_hand.join(" ; "))
}
