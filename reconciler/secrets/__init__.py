"""Reading SOPS files: what they say without a key, decryption by the sops binary, redaction."""
