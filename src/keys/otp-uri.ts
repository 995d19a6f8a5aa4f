/** Names of OTP slots as homes of keys: `yubikey-otp:serial=12345678;slot=2`. RFC 7512 has no word for them. */

/** @param serial decimal, as printed on the key */
export function otpTokenUri(serial: string, slot: 1 | 2): string {
  return `yubikey-otp:serial=${serial};slot=${slot}`;
}

/** Whether the text names an OTP slot. */
export function isOtpTokenUri(text: string): boolean {
  return /^yubikey-otp:serial=[1-9][0-9]{0,9};slot=[12]$/.test(text);
}
