//! Guests on either release of Proxmox VE, through the public pass, over the same HTTPS and the same host transport that reach
//! a real site.
mod bed;
mod changes;
mod clones;
mod lives;
mod moves;
