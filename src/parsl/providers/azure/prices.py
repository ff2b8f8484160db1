"""Prices of machines, from the public list of Azure's retail prices; no account is needed."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

logger = logging.getLogger(__name__)

RETAIL_PRICES = "https://prices.azure.com/api/retail/prices"
_TIMEOUT_S = 10.0


def fetch_price(vm_size: str, location: str, is_spot: bool, address: str = RETAIL_PRICES) -> float | None:
    """Fetch the price of a Linux machine, in dollars per hour; None if it cannot be found."""
    conditions = (
        "serviceName eq 'Virtual Machines' and priceType eq 'Consumption' "
        f"and armRegionName eq '{location}' and armSkuName eq '{vm_size}'"
    )
    try:
        with urlopen(f"{address}?{urlencode({'$filter': conditions})}", timeout=_TIMEOUT_S) as response:
            items = json.load(response)["Items"]
    except (URLError, OSError, ValueError, KeyError) as error:
        logger.info("The price of %s in %s is unknown: %s", vm_size, location, error)
        return None
    return choose_price(items, is_spot)


def choose_price(items: Iterable[Mapping[str, Any]], is_spot: bool) -> float | None:
    """Choose among the prices of one size: Linux, by the hour, spot or not; the lowest of several."""
    prices = [
        float(item["retailPrice"])
        for item in items
        if item.get("unitOfMeasure") == "1 Hour"
        and "Windows" not in item.get("productName", "")
        and not item.get("skuName", "").endswith("Low Priority")
        and item.get("skuName", "").endswith("Spot") == is_spot
    ]
    return min(prices, default=None)
