//! The processor models that a machine may be given (`PVE::QemuServer::CPUConfig`, qemu-server 9.2).

/// Those that show a guest Intel's name.
const INTEL: &[&str] = &[
    "486",
    "pentium",
    "pentium2",
    "pentium3",
    "coreduo",
    "core2duo",
    "Conroe",
    "Penryn",
    "Nehalem",
    "Nehalem-IBRS",
    "Westmere",
    "Westmere-IBRS",
    "SandyBridge",
    "SandyBridge-IBRS",
    "IvyBridge",
    "IvyBridge-IBRS",
    "Haswell",
    "Haswell-IBRS",
    "Haswell-noTSX",
    "Haswell-noTSX-IBRS",
    "Broadwell",
    "Broadwell-IBRS",
    "Broadwell-noTSX",
    "Broadwell-noTSX-IBRS",
    "Skylake-Client",
    "Skylake-Client-IBRS",
    "Skylake-Client-noTSX-IBRS",
    "Skylake-Client-v4",
    "Skylake-Server",
    "Skylake-Server-IBRS",
    "Skylake-Server-noTSX-IBRS",
    "Skylake-Server-v4",
    "Skylake-Server-v5",
    "Cascadelake-Server",
    "Cascadelake-Server-v2",
    "Cascadelake-Server-noTSX",
    "Cascadelake-Server-v4",
    "Cascadelake-Server-v5",
    "Cooperlake",
    "Cooperlake-v2",
    "KnightsMill",
    "Icelake-Client",
    "Icelake-Client-noTSX",
    "Icelake-Server",
    "Icelake-Server-noTSX",
    "Icelake-Server-v3",
    "Icelake-Server-v4",
    "Icelake-Server-v5",
    "Icelake-Server-v6",
    "Icelake-Server-v7",
    "SapphireRapids",
    "SapphireRapids-v2",
    "SapphireRapids-v3",
    "SapphireRapids-v4",
    "GraniteRapids",
    "GraniteRapids-v2",
    "GraniteRapids-v3",
    "SierraForest",
    "SierraForest-v2",
    "SierraForest-v3",
    "ClearwaterForest",
];

/// Those that show a guest AMD's name.
const AMD: &[&str] = &[
    "athlon",
    "phenom",
    "Opteron_G1",
    "Opteron_G2",
    "Opteron_G3",
    "Opteron_G4",
    "Opteron_G5",
    "EPYC",
    "EPYC-IBPB",
    "EPYC-v3",
    "EPYC-v4",
    "EPYC-v5",
    "EPYC-Rome",
    "EPYC-Rome-v2",
    "EPYC-Rome-v3",
    "EPYC-Rome-v4",
    "EPYC-Rome-v5",
    "EPYC-Milan",
    "EPYC-Milan-v2",
    "EPYC-Milan-v3",
    "EPYC-Genoa",
    "EPYC-Genoa-v2",
    "EPYC-Turin",
];

/// Those that show the node's own maker.
const ANY: &[&str] = &["kvm32", "kvm64", "qemu32", "qemu64", "max", "host"];

/// Levels of x86-64 that Proxmox VE makes of `qemu64` and flags.
const ABSTRACT: &[&str] = &["x86-64-v2", "x86-64-v2-AES", "x86-64-v3", "x86-64-v4"];

/// Those of another architecture.
const ARM: &[&str] = &[
    "a64fx",
    "cortex-a35",
    "cortex-a53",
    "cortex-a55",
    "cortex-a57",
    "cortex-a710",
    "cortex-a72",
    "cortex-a76",
    "neoverse-n1",
    "neoverse-n2",
    "neoverse-v1",
    "max",
];

/// The flags that may be set for a machine, beside its model, with what they do in words of ours.
pub const FLAGS: &[(&str, &str)] = &[
    ("aes", "AES in hardware"),
    ("amd-no-ssb", "tells the guest that the processor has no speculative store bypass (AMD)"),
    ("amd-ssbd", "protection from speculative store bypass (AMD)"),
    ("hv-evmcs", "nested virtualisation of Hyper-V (Intel)"),
    ("hv-tlbflush", "flushes of the TLB by Hyper-V"),
    ("ibpb", "a barrier against branch prediction across guests (AMD)"),
    ("md-clear", "tells the guest that MDS is mitigated"),
    ("nested-virt", "virtualisation inside the guest"),
    ("pcid", "makes the protection from Meltdown cheaper (Intel)"),
    ("pdpe1gb", "pages of one GiB"),
    ("spec-ctrl", "protection from Spectre (Intel)"),
    ("ssbd", "protection from speculative store bypass (Intel)"),
    ("virt-ssbd", "what `amd-ssbd` is built on (AMD)"),
];

/// Each model for x86-64: its name, its maker, and whether it is one of the abstract levels.
pub fn x86_64() -> impl Iterator<Item = (&'static str, &'static str, bool)> {
    let of = |names: &'static [&'static str], vendor, level| names.iter().map(move |n| (*n, vendor, level));
    of(INTEL, "GenuineIntel", false)
        .chain(of(AMD, "AuthenticAMD", false))
        .chain(of(ANY, "default", false))
        .chain(of(ABSTRACT, "default", true))
}

/// Each model for 64-bit ARM with its maker.
pub fn aarch64() -> impl Iterator<Item = (&'static str, &'static str)> {
    ARM.iter().map(|n| (*n, if *n == "max" { "default" } else { "ARM" }))
}

/// Whether a model of this name is built in.
pub fn is_known(name: &str) -> bool {
    x86_64().any(|(model, ..)| model == name) || aarch64().any(|(model, _)| model == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The recorded installation listed as many.
    #[test]
    fn there_are_ninety_four_for_x86_64() {
        let mut names: Vec<&str> = x86_64().map(|(name, ..)| name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 94);
        assert!(is_known("host") && is_known("x86-64-v2-AES") && is_known("neoverse-n1"));
        assert!(!is_known("nosuch") && !is_known("custom-mine"));
    }
}
