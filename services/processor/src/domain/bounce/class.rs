//! What a failure can be, whose fault each is, and what each may do to the recipient.

/// Whose fault a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Blame {
    /// The person's own address: it is dead, full, or refuses this sender.
    Recipient,
    /// The recipient's domain: it doesn't exist, or takes no mail.
    Domain,
    /// The way between: servers, networks, time.
    Infrastructure,
    /// The sender: its authentication, its reputation, its rate.
    Sender,
    /// The message itself.
    Content,
}

impl Blame {
    /// The blame's name in records and documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Recipient => "recipient",
            Self::Domain => "domain",
            Self::Infrastructure => "infrastructure",
            Self::Sender => "sender",
            Self::Content => "content",
        }
    }
}

/// What a class of failure may do to the address that it happened to. Numbers (weights, half-lives) are the
/// policy's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// The address is dead: one failure is enough.
    Dead,
    /// The address may be dead: several failures are needed.
    Suspect,
    /// The person asked for no more messages on this channel.
    OptOut,
    /// The sending provider refuses the address because of an earlier failure, unsubscribe or complaint.
    Provider,
    /// Nothing: the failure says nothing about the address.
    None,
}

impl Effect {
    /// Whether a failure of this kind can ever keep messages from its recipient.
    #[must_use]
    pub const fn suppresses(self) -> bool {
        !matches!(self, Self::None)
    }
}

macro_rules! classes {
    ($($(#[$doc:meta])* $variant:ident $name:literal $blame:ident $effect:ident;)*) => {
        /// A class of failures. Its place in [`Class::ALL`] may be stored: classes are only ever appended.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Class {
            $($(#[$doc])* $variant,)*
        }

        impl Class {
            /// Every class, in the order in which they were added.
            pub const ALL: &'static [Class] = &[$(Class::$variant,)*];

            /// The class' name in records, rules, policies and documents.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Whose fault failures of this class are.
            #[must_use]
            pub const fn blame(self) -> Blame {
                match self { $(Self::$variant => Blame::$blame,)* }
            }

            /// What failures of this class may do to their recipient.
            #[must_use]
            pub const fn effect(self) -> Effect {
                match self { $(Self::$variant => Effect::$effect,)* }
            }
        }
    };
}

classes! {
    /// No rule knows the text.
    Unknown "unknown" Infrastructure Suspect;

    /// Nobody has this address.
    UserUnknown "user_unknown" Recipient Dead;
    /// The mailbox exists and was switched off.
    MailboxDisabled "mailbox_disabled" Recipient Dead;
    /// The provider says for good that the mailbox is unavailable, and not why.
    MailboxUnavailable "mailbox_unavailable" Recipient Dead;
    /// No such address can exist: its syntax is wrong, or a number can't receive.
    BadAddress "bad_address" Recipient Dead;
    /// The person left for another address.
    Moved "moved" Recipient Dead;
    /// The provider's directory doesn't hold the address.
    RecipientRefusedByDirectory "recipient_refused_by_directory" Recipient Dead;
    /// The app was removed from the device, or its token ran out.
    DeviceUnregistered "device_unregistered" Recipient Dead;

    /// The mailbox is over its quota.
    MailboxFull "mailbox_full" Recipient Suspect;
    /// The mailbox can't be used for the moment.
    MailboxTemporarilyUnavailable "mailbox_temporarily_unavailable" Recipient Suspect;
    /// The mailbox takes mail from some senders only.
    MailboxRestricted "mailbox_restricted" Recipient Suspect;
    /// The server doesn't know the recipient yet, and asks for another attempt.
    RecipientUnknownYet "recipient_unknown_yet" Recipient Suspect;
    /// The channel can't deliver to this number: no account, old terms, or an old app.
    UndeliverableOnChannel "undeliverable_on_channel" Recipient Suspect;
    /// The recipient's own filter dropped the message.
    Filtered "filtered" Recipient None;
    /// A policy that the recipient set.
    PolicyOfRecipient "policy_of_recipient" Recipient None;
    /// A gateway's policy for this recipient.
    BlockedByPolicyForRecipient "blocked_by_policy_for_recipient" Recipient None;
    /// The recipient refuses this sender: a wish, not a dead mailbox.
    BlockedByRecipient "blocked_by_recipient" Recipient None;
    /// The recipient gets messages too fast for the moment.
    RateToRecipient "rate_to_recipient" Recipient None;
    /// The person answered STOP, or its like.
    OptedOut "opted_out" Recipient OptOut;
    /// The sending provider has seen this address bounce.
    PreviouslyBounced "previously_bounced" Recipient Provider;
    /// The sending provider has this address on its unsubscribe list.
    PreviouslyUnsubscribed "previously_unsubscribed" Recipient Provider;
    /// The sending provider has had a complaint of this recipient.
    PreviouslyComplained "previously_complained" Recipient Provider;

    /// The domain doesn't exist.
    DomainUnknown "domain_unknown" Domain Dead;
    /// The domain says in its name records that it takes no mail.
    NullMx "null_mx" Domain Dead;
    /// The domain's name records could not be read.
    DomainDns "domain_dns" Domain Suspect;
    /// The server that the domain names doesn't take its mail.
    NotHostedHere "not_hosted_here" Domain Suspect;
    /// The domain refuses mail for now.
    DomainRefuses "domain_refuses" Domain Suspect;
    /// The domain has a trouble that will pass.
    DomainTemporary "domain_temporary" Domain Suspect;
    /// The whole organisation is over its quota.
    DomainQuota "domain_quota" Domain Suspect;
    /// The filter in front of the domain is no longer paid for.
    GatewayLicenceLapsed "gateway_licence_lapsed" Domain Suspect;

    /// The server can't take the message now.
    Unavailable "unavailable" Infrastructure Suspect;
    /// No server took the message until its time ran out.
    Expired "expired" Infrastructure Suspect;
    /// The connection failed.
    Network "network" Infrastructure Suspect;
    /// The server lets unknown senders wait.
    Greylisted "greylisted" Infrastructure Suspect;
    /// The message went in a circle.
    Loop "loop" Infrastructure Suspect;
    /// Too many connections, or too many messages on one.
    ConnectionLimit "connection_limit" Infrastructure None;
    /// The server is still asking whether the address exists.
    VerificationPending "verification_pending" Infrastructure None;
    /// The two servers misunderstood each other.
    Protocol "protocol" Infrastructure None;

    /// The sending address or domain is on a block list.
    Blocklisted "blocklisted" Sender None;
    /// A policy of the receiving side.
    Policy "policy" Sender None;
    /// SPF, DKIM or DMARC failed.
    Authentication "authentication" Sender None;
    /// This sender is blocked.
    BlockedSender "blocked_sender" Sender None;
    /// The sending host's name and address don't match.
    ReverseDns "reverse_dns" Sender None;
    /// The sender's domain doesn't exist or resolve.
    SenderDomain "sender_domain" Sender None;
    /// The sender's address is invalid.
    SenderAddress "sender_address" Sender None;
    /// The sender is too fast.
    RateBySender "rate_by_sender" Sender None;
    /// The sender has a bad reputation.
    Reputation "reputation" Sender None;
    /// Recipients complained about the sender.
    Complaints "complaints" Sender None;
    /// The sender is taken for a spammer.
    SpamBlock "spam_block" Sender None;
    /// The sender's credentials, keys or settings are wrong.
    Credentials "credentials" Sender None;
    /// The receiving side wants an encrypted connection.
    Tls "tls" Sender None;

    /// The message looks like spam.
    SpamContent "spam_content" Content None;
    /// The message breaks a standard.
    Malformed "malformed" Content None;
    /// The message is too large.
    TooLarge "too_large" Content None;
    /// The message carries a virus.
    Virus "virus" Content None;
    /// An attachment isn't taken.
    Attachment "attachment" Content None;
    /// The message links to a domain on a block list.
    ListedDomainInMessage "listed_domain_in_message" Content None;
    /// A policy about what messages hold.
    ContentPolicy "content_policy" Content None;
}

impl Class {
    /// What a server means by the words for this class where its status code asks for another attempt: no
    /// address and no domain is dead by that.
    #[must_use]
    pub const fn while_temporary(self) -> Self {
        match self {
            Self::UserUnknown | Self::BadAddress | Self::Moved | Self::RecipientRefusedByDirectory => {
                Self::RecipientUnknownYet
            }
            Self::MailboxDisabled | Self::DeviceUnregistered => Self::MailboxTemporarilyUnavailable,
            Self::MailboxUnavailable => Self::Unavailable,
            Self::DomainUnknown | Self::NullMx => Self::DomainDns,
            other => other,
        }
    }

    /// The class of this name; nothing where there is none.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|class| class.as_str() == name)
    }
}
