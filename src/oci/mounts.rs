//! config.md, "Mounts".

use crate::json::object;

object! {
    /// One mount over the root filesystem.
    #[derive(Debug, Clone, Default)]
    pub struct Mount {
        /// Where it appears, as a path inside the container.
        pub destination: String = "destination",
        /// The filesystem's type as in `/proc/filesystems`; of no meaning for a bind mount.
        pub kind: Option<String> = "type",
        /// A device, a name, or for a bind mount a path, absolute or relative to the bundle.
        pub source: Option<String> = "source",
        /// Mount options as of fstab(5).
        pub options: Vec<String> = "options",
        /// The user ids of an idmapped mount.
        pub uid_mappings: Vec<IdMapping> = "uidMappings",
        /// The group ids of an idmapped mount.
        pub gid_mappings: Vec<IdMapping> = "gidMappings",
    }
}

object! {
    /// A range of ids inside and the range on the host that it stands for.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    pub struct IdMapping {
        /// The first id inside the container.
        pub container_id: u32 = "containerID",
        /// The first id on the host.
        pub host_id: u32 = "hostID",
        /// How many ids.
        pub size: u32 = "size",
    }
}
