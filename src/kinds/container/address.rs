//! How a network device gets its address.
use crate::model::{Cidr4, Cidr6, spelled};
use std::{fmt, str::FromStr};

/// The IPv4 address of a network device: fixed, `dhcp`, or `manual` (the guest sees to it itself).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Address4 {
    Fixed(Cidr4),
    Dhcp,
    Manual,
}

impl FromStr for Address4 {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "dhcp" => Ok(Self::Dhcp),
            "manual" => Ok(Self::Manual),
            fixed => fixed.parse().map(Self::Fixed),
        }
    }
}

impl fmt::Display for Address4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(address) => address.fmt(f),
            Self::Dhcp => f.write_str("dhcp"),
            Self::Manual => f.write_str("manual"),
        }
    }
}

spelled!(Address4, "an IPv4 address such as 10.0.1.5/24, or dhcp", {
    "type": "string", "pattern": "^(dhcp|manual|[0-9]{1,3}([.][0-9]{1,3}){3}/[0-9]{1,2})$", "examples": ["10.0.1.5/24", "dhcp"]
});

/// The IPv6 address of a network device: fixed, `auto` (router advertisements), `dhcp`, or `manual`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Address6 {
    Fixed(Cidr6),
    Auto,
    Dhcp,
    Manual,
}

impl FromStr for Address6 {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "dhcp" => Ok(Self::Dhcp),
            "manual" => Ok(Self::Manual),
            fixed => fixed.parse().map(Self::Fixed),
        }
    }
}

impl fmt::Display for Address6 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(address) => address.fmt(f),
            Self::Auto => f.write_str("auto"),
            Self::Dhcp => f.write_str("dhcp"),
            Self::Manual => f.write_str("manual"),
        }
    }
}

spelled!(Address6, "an IPv6 address such as fd00:1::5/64, or auto", {
    "type": "string", "pattern": "^(auto|dhcp|manual|[0-9A-Fa-f:.]+/[0-9]{1,3})$", "examples": ["fd00:1::5/64", "auto"]
});
