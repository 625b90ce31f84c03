// What an app writes around the generated client. It is compiled, and not run.

import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type State = components["schemas"]["State"];
type ErrorCode = components["schemas"]["Error"]["error"]["code"];

const api = createClient<paths>({ baseUrl: "https://bank.example/mfa/api" });

function fail(told: components["schemas"]["Error"]): never {
    const { code, message, retry_after, limit } = told.error;
    const wait: string = retry_after === null ? "" : ` (${retry_after.toFixed(0)} s, ${limit})`;
    throw new Error(`${code satisfies ErrorCode}: ${message}${wait}`);
}

export async function signIn(
    username: string,
    password: string,
    askForCode: (where: string) => Promise<string>,
): Promise<string> {
    const login = await api.POST("/login", { body: { username, password } });
    if (login.error) return fail(login.error);
    if (login.data.completion !== null) return login.data.completion;
    const headers = { Authorization: `MFA-Ticket ${login.data.ticket}` };
    const phone = login.data.code?.phones[0];
    const sent = await api.POST("/send", { headers, body: { phone: phone?.id ?? null } });
    if (sent.error) return fail(sent.error);
    const code = await askForCode(sent.data.code?.challenge?.number ?? "");
    const verified = await api.POST("/verify", { headers, body: { code } });
    if (verified.error) return fail(verified.error);
    if (verified.data.completion === null) throw new Error("no completion");
    return verified.data.completion;
}

export async function removeSpare(state: State): Promise<number> {
    const headers = { "X-CSRFToken": state.csrf_token ?? "" };
    const listed = await api.GET("/phones");
    if (listed.error) return fail(listed.error);
    const spare = listed.data.phones.find((phone) => !phone.is_primary);
    if (spare === undefined) return 0;
    const params = { path: { phone: spare.id } };
    const left = await api.POST("/phones/{phone}/remove", { headers, params });
    if (left.error) return fail(left.error);
    return left.data.phones.length;
}

export async function mistakes(): Promise<void> {
    // @ts-expect-error  A field that is missing.
    await api.POST("/verify", { body: {} });
    // @ts-expect-error  A field of another type.
    await api.POST("/send", { body: { phone: 5 } });
    // @ts-expect-error  An address that there is not.
    await api.GET("/phone");
}
