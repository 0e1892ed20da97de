"""Which names are those of secrets."""

import time

import pytest

from signals_demo.serialize.secret_names import SecretNames

names = SecretNames()

SECRET = """
password PASSWORD user_pass SECRET_KEY secret api_key API apiToken access_token X-CSRFToken
xsrf csrfmiddlewaretoken signature Authorization HTTP_AUTHORIZATION oauth2 HTTP_COOKIE Cookie
Set-Cookie session_data sessionid session_key sessionId PHPSESSID JSESSIONID private_exponent
credentials user[password] author_token pwd dbpass passwd pw otp OTPCode totp_seed pin user_pin
jwt cvv cvc2 ssn sid sig bearer SAMLResponse client_assertion iban cardNumber creditCard
card_no apikey APIKey sshkey keys recovery_codes backupCodes security_code HTTP_X_API_KEY
new_password1 seeds mnemonic
"""

ORDINARY = """
name author authors author_id AUTHOR authored_at authorship title session session_count
sessions id pk primary_key foreign_keys natural_key sort_key translation_key data-block-key
compass_heading pinned pinned_at signal coding residue monkey keyboard keyword
keywords capital rapid turkey_size bypass passenger secretary is_private side sidebar code
country_code promo_code ticket spin shopping opinion signed assigned design inside president
status hotkey authenticated seedling expire
"""


@pytest.mark.parametrize("name", [*SECRET.split(), "x" * 5000 + "_password"])
def test_a_name_of_a_secret_is_known(name: str) -> None:
    assert names.is_secret(name)


@pytest.mark.parametrize("name", [*ORDINARY.split(), "", "x" * 5000])
def test_other_names_are_not(name: str) -> None:
    assert not names.is_secret(name)


@pytest.mark.parametrize("name", ["code", "ticket", "session", "code_verifier", "password"])
def test_some_names_are_secret_when_they_are_sent(name: str) -> None:
    assert names.is_secret_when_sent(name)


@pytest.mark.parametrize("name", ["country_code", "coding", "ticket_count", "page", "sessions"])
def test_names_like_them_are_not(name: str) -> None:
    assert not names.is_secret_when_sent(name)


def test_patterns_of_the_setting_come_on_top() -> None:
    names = SecretNames(["salary", r"^note$"])
    assert names.is_secret("yearly_SALARY")
    assert names.is_secret("note")
    assert not names.is_secret("notes")
    assert names.is_secret("password")


def test_patterns_see_both_ends_of_a_long_name() -> None:
    names = SecretNames(["^salary", "bonus$"])
    assert names.is_secret("salary" + "x" * 5000)
    assert names.is_secret("x" * 5000 + "bonus")


def test_patterns_do_not_disturb_each_other() -> None:
    names = SecretNames(["(?i)grade", r"(?P<x>a)(?P=x)z", r"(?P<x>b)\1y", "c|d"])
    given = ("GRADE", "aaz", "bby", "d", "az", "y")
    assert [name for name in given if names.is_secret(name)] == ["GRADE", "aaz", "bby", "d"]


@pytest.mark.parametrize("unit", ["a", "_", "A", "Aa", "key", "pass", "session_", "card_", "1a"])
def test_the_work_is_linear_in_the_length_of_a_name(unit: str) -> None:
    def seconds(length: int) -> float:
        name = (unit * length)[:length]
        began = time.process_time()
        for _ in range(5):
            names.is_secret_from_outside(name)
        return time.process_time() - began

    assert seconds(40_000) < 40 * seconds(4_000) + 0.03
