use super::*;
use proptest::prelude::*;

#[test]
fn what_the_world_knows_is_no_key() {
    for text in [
        "${AUTH_KEY}",
        "${AUTH_KEY:-none}",
        "${AUTH_KEY",
        "prefix-${AUTH_KEY}",
        "$AUTH_KEY",
        "$$AUTH_KEY",
        "$AUTH-KEY",
        "$auth_key",
        "$(cat key)",
        "%AUTH_KEY%",
        "%(auth_key)s",
        "%{AUTH_KEY}",
        "{{ auth_key }}",
        "{{auth_key}}-1",
        "<%= auth_key %>",
        "#{AUTH_KEY}#",
        "#AUTH_KEY#",
        "@@AUTH_KEY@@",
        "__AUTH_KEY__",
        "_AUTH_KEY_",
        "{auth_key}",
        "##AUTH_KEY##",
        "%env(AUTH_KEY)%",
        "${file(auth.key)}",
        "[AUTH_KEY]",
        "((auth_key))",
        "`auth_key`",
        "【密钥】",
        "ENC[AES256_GCM,data:xyz,iv:abc,tag:def,type:str]",
        "ENC(abc=)",
        "DEC::PKCS7[xyz]",
        "@Microsoft.KeyVault(SecretUri=https://x/)",
        "$ANSIBLE_VAULT;1.1;AES256",
        "vault:secret/data/xiaozhi#auth_key",
        "keyvault:auth-key",
        "pass:xiaozhi/auth_key",
        "op://vault/item/field",
        "awssm://xiaozhi",
        "ref+vault://secret/xiaozhi",
        "arn:aws:secretsmanager:x",
        "!Ref AuthKey",
        "{cipher}AQB",
        "{noop}hush",
        "env:AUTH_KEY",
        "ENV[\"AUTH_KEY\"]",
        "env(AUTH_KEY)",
        "os.getenv('AUTH_KEY')",
        "os.environ['AUTH_KEY']",
        "process.env.AUTH_KEY",
        "var.auth_key",
        "secretKeyRef",
        "file:///run/secrets/auth_key",
        "/run/secrets/auth_key",
        "/home/me/auth.key",
        "C:\\keys\\auth.key",
        "<your-auth-key>",
        "your-secret-key",
        "your_auth_key",
        "YOUR_KEY_HERE",
        "my-secret-key",
        "example-key",
        "changeme",
        "change-me",
        "ChangeMe123",
        "REDACTED",
        "[REDACTED]",
        "AUTH_KEY",
        "auth-key",
        "Put the key here",
        "xxxxxxxx",
        "xxxx-key",
        "********",
        "请填写密钥",
        "占位符",
        "您的auth_key",
        "随机字符串",
        "your-base64-key",
        "sha256-key",
        "your-256-bit-secret",
        "super-secret-key",
        "your-32-char-secret",
        "secretkey123456",
        "!vault |",
        "-----BEGIN PGP MESSAGE-----",
    ] {
        assert!(kind(text).is_some(), "{text}");
    }
}

#[test]
fn what_may_be_a_key_is_left_alone() {
    for text in [
        "5f4dcc3b5aa765d61d8327deb882cf99",
        "7b94d69a-9808-4c59-9c9b-704333b38aff",
        "{7b94d69a-9808-4c59-9c9b-704333b38aff}",
        "{ab94d69a-9808-4c59-9c9b-704333b38aff}",
        "hush-hush",
        "a$b{c}d%e",
        "$ecureP4ss",
        "changed-key",
        "pass:word1",
        "yourself-is-the-key",
        "密钥9abcDEF",
        "随机abc123456",
        "/aB3dEfGhIjKlMnOpQrStUvWxYz0123456789+=",
        "golden-key",
        "Sig-Key-123",
        "key20261125",
        "kX9${vQ!w27zLq0p8",
        "xK9dFq(7wPz2mQ8vT4)",
        "!Secret8842kd",
        "Hunter2(work)",
        "$X7K2P9",
        "local.k3y",
        "xiaozhi2024!Key",
        "小狗的secret-key",
        "hunter::[x",
        "请勿打扰我的小智机器人",
        "secret",
        "test-key",
        "correct horse battery staple",
        "k",
    ] {
        assert_eq!(kind(text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn random_keys_are_keys(hex in "[0-9a-f]{32}", base64 in "[A-Za-z0-9+]{43}=", letters in "[a-zA-Z0-9]{20}") {
        prop_assert_eq!(kind(&hex), None);
        prop_assert_eq!(kind(&base64), None);
        prop_assert_eq!(kind(&letters), None);
    }

    #[test]
    fn any_text_is_judged(text in any::<String>()) {
        let _ = kind(&text);
    }
}
