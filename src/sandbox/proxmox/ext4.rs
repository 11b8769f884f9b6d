//! How much of a disk an ext4 file system leaves for files, as `mke2fs` makes it by default.

const BLOCK: u64 = 4096;
const BLOCKS_PER_GROUP: u64 = 32_768;

/// The blocks of the journal, by the blocks of the whole.
fn journal(blocks: u64) -> u64 {
    match blocks {
        ..32_768 => 1024,
        32_768..262_144 => 4096,
        262_144..524_288 => 8192,
        524_288..4_194_304 => 16_384,
        4_194_304..8_388_608 => 32_768,
        8_388_608..16_777_216 => 65_536,
        _ => 262_144,
    }
}

/// Whether a group of blocks has a copy of the superblock: the first two, and the powers of 3, 5 and 7.
fn has_copy(group: u64) -> bool {
    let power =
        |of: u64| std::iter::successors(Some(of), |p| Some(p * of)).take_while(|p| *p <= group).any(|p| p == group);
    group <= 1 || power(3) || power(5) || power(7)
}

/// Bytes for files on a disk of this size.
pub fn usable(size: u64) -> u64 {
    let blocks = size / BLOCK;
    let groups = blocks.div_ceil(BLOCKS_PER_GROUP);
    let descriptors = groups.div_ceil(64);
    // Room to grow a thousandfold.
    let reserved = (blocks * 1024).div_ceil(BLOCKS_PER_GROUP).div_ceil(64).saturating_sub(descriptors).min(1024);
    let copies = (0..groups).filter(|g| has_copy(*g)).count() as u64;
    let inodes = size / 16_384 * 256 / BLOCK;
    let taken = journal(blocks) + inodes + groups * 2 + copies * (1 + descriptors + reserved);
    blocks.saturating_sub(taken) * BLOCK
}

#[cfg(test)]
mod tests {
    /// Seen on a container's root of one GiB.
    #[test]
    fn a_gibibyte_holds_what_statfs_said() {
        assert_eq!(super::usable(1 << 30), 1_020_702_720);
    }
}
