package dev.aftersend.peer;

import aftersend.v1.CustomerTraits;
import aftersend.v1.MessageOutcome;
import aftersend.v1.SuppressionEntry;
import dev.aftersend.peer.state.CustomerState;
import dev.aftersend.peer.state.Mark;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/** How an outcome changes a customer, and what follows from what is kept: docs/policies.md. */
final class Customers {
    private static final List<String> RESTRICTIVE_LAST = List.of(
        "drafted", "sent", "delivered", "opened", "replied", "converted", "clicked", "attempted", "deferred", "failed",
        "undeliverable", "dropped", "bounced", "unsubscribed", "spammed");
    private static final List<String> CONSENT = List.of("subscribed", "cio_subscription_preferences_changed");

    private Customers() {}

    /** A copy that shares its marks: none is ever changed. */
    static CustomerState copy(CustomerState of) {
        return new CustomerState(
            of.getRevision(), of.getLastEmail(), of.getBounce(), of.getClear(), of.getComplaint(), of.getComplaintCount(),
            of.getUnsubscribe(), of.getSubscribe(), of.getClickAt(), of.getEngagedAt());
    }

    static void learn(CustomerState state, MessageOutcome outcome) {
        boolean email = outcome.getChannel().equals("email");
        String metric = outcome.getMetric();
        Mark mark = new Mark(
            outcome.getOccurredAt().toEpochMilli(), outcome.getEventId(), metric, outcome.getDeliveryId(), outcome.getRecipientToken());
        switch (metric) {
            case "unsubscribed" -> state.setUnsubscribe(latest(state.getUnsubscribe(), mark));
            case "subscribed" -> state.setSubscribe(latest(state.getSubscribe(), mark));
            default -> {
                if (email) {
                    learnEmail(state, outcome, metric, mark);
                }
            }
        }
        if (email && !CONSENT.contains(metric)) {
            state.setLastEmail(lastEmail(state.getLastEmail(), mark));
        }
    }

    private static void learnEmail(CustomerState state, MessageOutcome outcome, String metric, Mark mark) {
        switch (metric) {
            case "bounced" -> state.setBounce(latest(state.getBounce(), mark));
            case "delivered" -> state.setClear(latest(state.getClear(), mark));
            case "clicked" -> {
                if (!Boolean.TRUE.equals(outcome.getMachine())) {
                    state.setClear(latest(state.getClear(), mark));
                    state.setClickAt(max(state.getClickAt(), mark.getAt()));
                    state.setEngagedAt(max(state.getEngagedAt(), mark.getAt()));
                }
            }
            case "opened" -> {
                boolean machine = Boolean.TRUE.equals(outcome.getPrefetched()) || Boolean.TRUE.equals(outcome.getProxied())
                    || Boolean.TRUE.equals(outcome.getSynthetic());
                if (!machine) {
                    state.setEngagedAt(max(state.getEngagedAt(), mark.getAt()));
                }
            }
            case "converted" -> state.setEngagedAt(max(state.getEngagedAt(), mark.getAt()));
            case "spammed" -> {
                state.setComplaint(latest(state.getComplaint(), mark));
                state.setComplaintCount(state.getComplaintCount() + 1);
            }
            default -> { }
        }
    }

    static CustomerTraits traits(String customer, CustomerState state) {
        CustomerTraits traits = new CustomerTraits();
        traits.setCustomerId(customer);
        traits.setAsOf(Instant.EPOCH);
        traits.setChanged(List.of());
        if (state.getLastEmail() != null) {
            boolean complained = state.getComplaint() != null;
            traits.setEmailBounced(bounced(state));
            traits.setSpamComplaint(complained);
            traits.setComplaintCount(state.getComplaintCount());
            traits.setLastEmailMetric(state.getLastEmail().getMetric());
        }
        if (state.getClear() != null || state.getBounce() != null || state.getComplaint() != null || state.getEngagedAt() != null) {
            traits.setEmailDeliverable(!bounced(state) && state.getComplaint() == null);
        }
        if (state.getUnsubscribe() != null || state.getSubscribe() != null) {
            traits.setUnsubscribed(stands(state.getUnsubscribe(), state.getSubscribe()));
        }
        if (state.getBounce() != null) {
            traits.setEmailBouncedAt(Instant.ofEpochMilli(state.getBounce().getAt()));
            traits.setLastBounceDeliveryId(state.getBounce().getDeliveryId());
        }
        traits.setSpamComplaintAt(instant(state.getComplaint()));
        traits.setUnsubscribedAt(instant(state.getUnsubscribe()));
        traits.setLastEmailClickAt(state.getClickAt() == null ? null : Instant.ofEpochMilli(state.getClickAt()));
        traits.setLastEmailEngagedAt(state.getEngagedAt() == null ? null : Instant.ofEpochMilli(state.getEngagedAt()));
        return traits;
    }

    /** Names of the traits that differ. */
    static List<String> changed(CustomerTraits old, CustomerTraits now) {
        List<String> changed = new ArrayList<>();
        compare(changed, "email_deliverable", old.getEmailDeliverable(), now.getEmailDeliverable());
        compare(changed, "email_bounced", old.getEmailBounced(), now.getEmailBounced());
        compare(changed, "email_bounced_at", old.getEmailBouncedAt(), now.getEmailBouncedAt());
        compare(changed, "last_bounce_delivery_id", old.getLastBounceDeliveryId(), now.getLastBounceDeliveryId());
        compare(changed, "spam_complaint", old.getSpamComplaint(), now.getSpamComplaint());
        compare(changed, "spam_complaint_at", old.getSpamComplaintAt(), now.getSpamComplaintAt());
        compare(changed, "complaint_count", old.getComplaintCount(), now.getComplaintCount());
        compare(changed, "unsubscribed", old.getUnsubscribed(), now.getUnsubscribed());
        compare(changed, "unsubscribed_at", old.getUnsubscribedAt(), now.getUnsubscribedAt());
        compare(changed, "last_email_click_at", old.getLastEmailClickAt(), now.getLastEmailClickAt());
        compare(changed, "last_email_engaged_at", old.getLastEmailEngagedAt(), now.getLastEmailEngagedAt());
        compare(changed, "last_email_metric", old.getLastEmailMetric(), now.getLastEmailMetric());
        return changed;
    }

    static List<SuppressionEntry> suppressions(CustomerState state) {
        List<SuppressionEntry> entries = new ArrayList<>(3);
        if (state.getBounce() != null) {
            Mark clear = bounced(state) ? null : state.getClear();
            SuppressionEntry entry = entry("bounce", "address", "email", "hard", state.getBounce(), clear);
            entry.setToken(state.getBounce().getToken());
            entries.add(entry);
        }
        if (state.getComplaint() != null) {
            entries.add(entry("complaint", "channel", "email", "complaint", state.getComplaint(), null));
        }
        if (state.getUnsubscribe() != null) {
            Mark lift = stands(state.getUnsubscribe(), state.getSubscribe()) ? null : state.getSubscribe();
            entries.add(entry("unsubscribe", "person", "all", "unsubscribe", state.getUnsubscribe(), lift));
        }
        return entries;
    }

    private static SuppressionEntry entry(String reason, String scope, String channel, String kind, Mark cause, Mark lift) {
        SuppressionEntry entry = new SuppressionEntry();
        entry.setScope(scope);
        entry.setChannel(channel);
        entry.setReason(reason);
        entry.setClass$(kind);
        entry.setRule(reason);
        entry.setPolicyVersion("builtin-1");
        entry.setOrigin("outcome");
        entry.setEvidence(List.of(cause.getEventId()));
        entry.setSince(Instant.ofEpochMilli(cause.getAt()));
        entry.setState(lift == null ? "active" : "lifted");
        entry.setUntil(instant(lift));
        entry.setLiftReason(lift == null ? null : lift.getMetric());
        entry.setLiftEvidence(lift == null ? List.of() : List.of(lift.getEventId()));
        return entry;
    }

    private static boolean bounced(CustomerState state) {
        return stands(state.getBounce(), state.getClear());
    }

    /** A fact stands unless a clearing one is later. */
    private static boolean stands(Mark fact, Mark against) {
        return fact != null && (against == null || fact.getAt() >= against.getAt());
    }

    private static Mark latest(Mark kept, Mark mark) {
        if (kept == null || mark.getAt() != kept.getAt()) {
            return kept == null || mark.getAt() > kept.getAt() ? mark : kept;
        }
        return mark.getEventId().compareTo(kept.getEventId()) > 0 ? mark : kept;
    }

    private static Mark lastEmail(Mark kept, Mark mark) {
        if (kept == null || mark.getAt() != kept.getAt()) {
            return latest(kept, mark);
        }
        int order = Integer.compare(RESTRICTIVE_LAST.indexOf(mark.getMetric()), RESTRICTIVE_LAST.indexOf(kept.getMetric()));
        return order != 0 ? (order > 0 ? mark : kept) : latest(kept, mark);
    }

    private static Long max(Long kept, long at) {
        return kept == null ? at : Long.valueOf(Math.max(kept, at));
    }

    private static Instant instant(Mark mark) {
        return mark == null ? null : Instant.ofEpochMilli(mark.getAt());
    }

    private static void compare(List<String> changed, String name, Object old, Object now) {
        if (!Objects.equals(old, now)) {
            changed.add(name);
        }
    }
}
