//! The rules, by what they read: code as tokens or syntax, the tree of files and crates, and prose.

pub(crate) mod code {
    pub(crate) mod density;
    pub(crate) mod domain;
    pub(crate) mod forbidden;
    pub(crate) mod log;
    pub(crate) mod metric;
    pub(crate) mod type_name;
}

pub(crate) mod layout {
    pub(crate) mod crates;
    pub(crate) mod path;
    pub(crate) mod size;
}

pub(crate) mod prose {
    pub(crate) mod comment;
    pub(crate) mod link;
    pub(crate) mod promise;
    pub(crate) mod register;
}
