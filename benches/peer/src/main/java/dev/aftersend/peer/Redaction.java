package dev.aftersend.peer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.net.IDN;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.text.Normalizer;
import java.util.Arrays;
import java.util.Base64;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** Addresses as keyed tokens, wherever they stand. Not for several threads: each processor has its own. */
final class Redaction {
    private static final Pattern EMAIL =
        Pattern.compile("([\\p{L}\\p{N}.!#$%'*+\\-^_`{|}~]+)(?:@|%40)([\\p{L}\\p{N}.\\-]*[\\p{L}\\p{N}])");
    private static final Pattern PHONE = Pattern.compile("\\+(\\d{8,15})(?!\\d)");
    private static final Pattern TOKEN = Pattern.compile("t0\\.[A-Za-z0-9_-]{22}");
    private static final int TOKEN_BYTES = 16;

    private final Mac mac;

    Redaction() {
        try {
            mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec("aftersend-development-only".getBytes(StandardCharsets.UTF_8), "HmacSHA256"));
        } catch (GeneralSecurityException failure) {
            throw new IllegalStateException(failure);
        }
    }

    String emailToken(String address) {
        return token("email", normalEmail(address));
    }

    String phoneToken(String address) {
        StringBuilder digits = new StringBuilder("+");
        address.chars().filter(Character::isDigit).forEach(digit -> digits.append((char) digit));
        return token("phone", digits.toString());
    }

    String deviceToken(String address) {
        return token("device", address);
    }

    /** The domain of an address, or null where it has none. */
    static String domain(String address) {
        String normal = normalEmail(address);
        int at = normal.lastIndexOf('@');
        return at < 0 || at == normal.length() - 1 ? null : normal.substring(at + 1);
    }

    /** The text with every address in it replaced by its token. */
    String text(String text) {
        if (text == null) {
            return null;
        }
        String redacted = text;
        if (text.indexOf('@') >= 0 || text.contains("%40")) {
            Matcher emails = EMAIL.matcher(text);
            redacted = emails.replaceAll(
                found -> Matcher.quoteReplacement(emailToken(decoded(found.group(1)) + "@" + found.group(2))));
        }
        if (redacted.indexOf('+') >= 0) {
            redacted = PHONE.matcher(redacted).replaceAll(found -> Matcher.quoteReplacement(phoneToken(found.group(1))));
        }
        return redacted;
    }

    /** A clicked link: the values of its query as tokens, but for utm parameters. */
    String link(String link) {
        String clean = text(link);
        int query = clean == null ? -1 : clean.indexOf('?');
        if (query < 0) {
            return clean;
        }
        int fragment = clean.indexOf('#', query);
        String end = fragment < 0 ? "" : clean.substring(fragment);
        String[] pairs = clean.substring(query + 1, fragment < 0 ? clean.length() : fragment).split("&", -1);
        for (int at = 0; at < pairs.length; at++) {
            int equals = pairs[at].indexOf('=');
            String value = pairs[at].substring(equals + 1);
            if (!pairs[at].startsWith("utm_") && !value.isEmpty() && !TOKEN.matcher(value).matches()) {
                pairs[at] = pairs[at].substring(0, equals + 1) + token("link", decoded(value));
            }
        }
        return clean.substring(0, query + 1) + String.join("&", pairs) + end;
    }

    /** The value with every text in it redacted. */
    JsonNode value(JsonNode value) {
        if (value.isTextual()) {
            return JsonNodeFactory.instance.textNode(text(value.textValue()));
        }
        if (value.isArray()) {
            ArrayNode redacted = JsonNodeFactory.instance.arrayNode(value.size());
            value.forEach(item -> redacted.add(value(item)));
            return redacted;
        }
        if (value.isObject()) {
            ObjectNode redacted = JsonNodeFactory.instance.objectNode();
            value.properties().forEach(field -> redacted.set(text(field.getKey()), value(field.getValue())));
            return redacted;
        }
        return value;
    }

    private String token(String kind, String normal) {
        mac.update(kind.getBytes(StandardCharsets.UTF_8));
        mac.update((byte) 0);
        byte[] digest = mac.doFinal(normal.getBytes(StandardCharsets.UTF_8));
        return "t0." + Base64.getUrlEncoder().withoutPadding().encodeToString(Arrays.copyOf(digest, TOKEN_BYTES));
    }

    private static String normalEmail(String address) {
        String lower = Normalizer.normalize(address.trim(), Normalizer.Form.NFC).toLowerCase(Locale.ROOT);
        int at = lower.lastIndexOf('@');
        if (at < 0) {
            return lower;
        }
        try {
            return lower.substring(0, at + 1) + IDN.toASCII(lower.substring(at + 1));
        } catch (IllegalArgumentException refused) {
            return lower;
        }
    }

    private static String decoded(String local) {
        if (local.indexOf('%') < 0) {
            return local;
        }
        try {
            return URLDecoder.decode(local.replace("+", "%2B"), StandardCharsets.UTF_8);
        } catch (IllegalArgumentException malformed) {
            return local;
        }
    }
}
