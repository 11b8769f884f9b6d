//! Which release answers, and what it knows. An unknown parameter is an error (400), so what only a newer release takes is
//! refused here, with words that say so.
use super::{GuestType, Proxmox, strange, values};
use crate::model::{Answer, Class, Failure};
use std::{
    fmt::{self, Display},
    str::FromStr,
};

/// `9.2`: the release of a Proxmox VE, by `GET /version`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Release {
    pub major: u16,
    pub minor: u16,
}

/// What differs between the releases that are in use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Feature {
    /// The guest agent has privileges of its own (`VM.GuestAgent.Audit` and others); before, `VM.Monitor` gave all of it.
    GuestAgentPrivileges,
    /// Making a privileged container needs Sys.Modify on `/` (pve-container 6.0.5).
    PrivilegedContainers,
    /// Containers take `entrypoint` and `env`, as images of OCI registries need them.
    Entrypoint,
    /// `host-managed=1` in `netN` of a container: the node sets the addresses up.
    HostManaged,
}

impl Feature {
    /// The first release that has it. Present in the schema of 9.2.11 and absent from that of 8.4.21; 9.1 brought what belongs
    /// to OCI images (release notes of Proxmox VE 9.1).
    pub const fn since(self) -> Release {
        let (major, minor) = match self {
            Self::GuestAgentPrivileges | Self::PrivilegedContainers => (9, 0),
            Self::Entrypoint | Self::HostManaged => (9, 1),
        };
        Release { major, minor }
    }
}

/// Parameters that not every release takes: the setting of a container, a word that its value holds, the feature.
const GATED: &[(&str, &str, Feature)] = &[
    ("entrypoint", "", Feature::Entrypoint),
    ("env", "", Feature::Entrypoint),
    ("net", "host-managed=", Feature::HostManaged),
];

impl Release {
    pub fn knows(self, feature: Feature) -> bool {
        self >= feature.since()
    }

    /// The oldest release that was tried.
    pub const OLDEST: Self = Self { major: 8, minor: 4 };
}

impl FromStr for Release {
    type Err = String;
    /// `9.2`, `9.2.11`, `8.4-1`.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut numbers = text.trim().split(|c: char| !c.is_ascii_digit()).map(str::parse);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor))) => Ok(Self { major, minor }),
            _ => Err(format!("`{text}` is not a release such as 9.2")),
        }
    }
}

impl Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// The feature that a setting of a container needs.
fn gate(key: &str, value: &str) -> Option<Feature> {
    let stem = key.trim_end_matches(|c: char| c.is_ascii_digit());
    GATED.iter().find(|(name, word, _)| *name == stem && value.contains(word)).map(|(.., feature)| *feature)
}

impl Proxmox {
    /// The release, asked for once.
    pub async fn version(&self) -> Answer<Release> {
        let attempted = "ask for the version of Proxmox VE";
        let ask = async || {
            let data = self.wire.get(attempted, "/version", &[]).await?;
            let said = data.get("release").or_else(|| data.get("version")).and_then(values::text);
            let said = said.ok_or_else(|| strange(attempted, "no `release`"))?;
            said.parse().map_err(|why: String| strange(attempted, &why))
        };
        self.wire.release.get_or_try_init(ask).await.copied()
    }

    /// Refuses settings of a container that the release does not know.
    pub(super) async fn admit<'a>(
        &self,
        attempted: &str,
        kind: GuestType,
        settings: impl Iterator<Item = (&'a String, &'a String)>,
    ) -> Answer<()> {
        let gated: Vec<(&String, Feature)> =
            settings.filter_map(|(key, value)| Some((key, gate(key, value)?))).collect();
        if gated.is_empty() || kind != GuestType::Lxc {
            return Ok(());
        }
        let release = self.version().await?;
        match gated.into_iter().find(|(_, feature)| !release.knows(*feature)) {
            Some((key, feature)) => {
                let since = feature.since();
                let why =
                    format!("Proxmox VE {release} does not take this setting of `{key}`, which came with {since}");
                Err(Failure::new(Class::Invalid, attempted, why).hint("leave it out, or upgrade the node"))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_read_as_they_are_spelled() {
        let of = |text: &str| text.parse::<Release>();
        assert_eq!(of("9.2"), of("9.2.11"));
        assert_eq!(of("8.4-1").map(|r| r.to_string()), Ok("8.4".into()));
        assert!(of("8.4").unwrap() < of("9.0").unwrap() && of("9.9").unwrap() < of("9.10").unwrap());
        for wrong in ["", "nine", "9", "9.x"] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn each_release_knows_what_its_schema_has() {
        let all = [Feature::GuestAgentPrivileges, Feature::Entrypoint, Feature::HostManaged];
        let of = |text: &str| all.map(|feature| text.parse::<Release>().unwrap().knows(feature));
        assert_eq!(of("9.2"), [true, true, true]);
        assert_eq!(of("9.0"), [true, false, false]);
        assert_eq!(of("8.4"), [false, false, false]);
        assert_eq!(gate("net12", "name=eth0,host-managed=1"), Some(Feature::HostManaged));
        assert_eq!(gate("net0", "name=eth0"), None);
        assert_eq!(gate("env", "A=b"), Some(Feature::Entrypoint));
    }
}
