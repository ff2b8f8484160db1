"""The stand-in for Microsoft Entra: issues tokens to the client library of Azure's identities."""

from __future__ import annotations

import secrets
from urllib.parse import parse_qs

from tests.support.clouds.azure_account import CLIENT, SECRET, TENANT, Json


class Entra:
    """Issues tokens; the server's threads call it."""

    def __init__(self) -> None:
        self._tokens: set[str] = set()

    def metadata(self, address: str, tenant: str) -> tuple[int, Json]:
        """The OpenID configuration of a tenant."""
        if tenant != TENANT:
            text = f"AADSTS90002: Tenant '{tenant}' not found. Check that you have the correct tenant ID."
            return 400, {"error": "invalid_tenant", "error_description": text, "error_codes": [90002]}
        authority = f"{address}/{tenant}"
        return 200, {
            "issuer": f"{authority}/v2.0",
            "authorization_endpoint": f"{authority}/oauth2/v2.0/authorize",
            "token_endpoint": f"{authority}/oauth2/v2.0/token",
        }

    def token(self, form: bytes) -> tuple[int, Json]:
        """Exchange a client's secret for a token."""
        fields = {name: values[0] for name, values in parse_qs(form.decode()).items()}
        client = fields.get("client_id", "")
        if client != CLIENT:
            text = (
                f"AADSTS700016: Application with identifier '{client}' was not found in the directory "
                "'Test'. This "
                "can happen if the application has not been installed by the administrator of the tenant."
            )
            return 400, {"error": "unauthorized_client", "error_description": text, "error_codes": [700016]}
        if fields.get("client_secret") != SECRET:
            text = (
                "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the "
                "request is the "
                f"client secret value, not the client secret ID, for a secret added to app '{client}'."
            )
            return 401, {"error": "invalid_client", "error_description": text, "error_codes": [7000215]}
        return 200, {"token_type": "Bearer", "expires_in": 3599, "access_token": self.issue()}

    def issue(self) -> str:
        """A new token."""
        token = secrets.token_urlsafe(16)
        self._tokens.add(token)
        return token

    def accepts(self, header: str | None) -> bool:
        return header is not None and header.removeprefix("Bearer ") in self._tokens
