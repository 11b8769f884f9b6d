//! Passes over a site that lives in memory, with faults before and after every write.
mod batches;
mod declared;
mod events;
mod failing;
mod laws;
mod misfortune;
mod order;
mod retries;
mod safety;
mod site;
mod things;
mod worlds;
