"""Purposes an image may have been given for, as terms of the W3C Data Privacy Vocabulary 2.1.

A short list: the purposes for which people hand over pictures of themselves or their works. Codes
are never reused; a longer list is a new vocabulary version. Terms live at `https://w3id.org/dpv#…`
and, for health, at `https://w3id.org/dpv/sector/health#…`.
"""

from enum import IntEnum
from typing import Final

VOCABULARY: Final = 1
"""Version of this table; part of every statement."""


class Purpose(IntEnum):
    """What an image was given for; `UNSAID` where the statement does not say."""

    UNSAID = 0
    PATIENT_INFORMATION_MANAGEMENT = 1
    MEDICAL_CONDITION_DIAGNOSIS = 2
    HEALTH_RESEARCH_DEVELOPMENT = 3
    ACADEMIC_RESEARCH = 4
    NON_COMMERCIAL_RESEARCH = 5
    COMMERCIAL_RESEARCH = 6
    IDENTITY_VERIFICATION = 7
    PERSONNEL_MANAGEMENT = 8
    MEMBER_PARTNER_MANAGEMENT = 9
    REQUESTED_SERVICE_PROVISION = 10
    COMMUNICATION_MANAGEMENT = 11
    PUBLIC_RELATIONS = 12
    MARKETING = 13
    ADVERTISING = 14
    LEGAL_COMPLIANCE = 15
    DISPUTE_MANAGEMENT = 16
    ENFORCE_SECURITY = 17
    NON_COMMERCIAL_PURPOSE = 18
    COMMERCIAL_PURPOSE = 19

    @property
    def term(self) -> str:
        """The DPV term, `dpv:AcademicResearch`; empty for `UNSAID`."""
        return _TERMS[self]


_TERMS: Final = {
    Purpose.UNSAID: "",
    Purpose.PATIENT_INFORMATION_MANAGEMENT: "sector-health:PatientInformationManagement",
    Purpose.MEDICAL_CONDITION_DIAGNOSIS: "sector-health:MedicalConditionDiagnosis",
    Purpose.HEALTH_RESEARCH_DEVELOPMENT: "sector-health:ResearchDevelopment",
    Purpose.ACADEMIC_RESEARCH: "dpv:AcademicResearch",
    Purpose.NON_COMMERCIAL_RESEARCH: "dpv:NonCommercialResearch",
    Purpose.COMMERCIAL_RESEARCH: "dpv:CommercialResearch",
    Purpose.IDENTITY_VERIFICATION: "dpv:IdentityVerification",
    Purpose.PERSONNEL_MANAGEMENT: "dpv:PersonnelManagement",
    Purpose.MEMBER_PARTNER_MANAGEMENT: "dpv:MemberPartnerManagement",
    Purpose.REQUESTED_SERVICE_PROVISION: "dpv:RequestedServiceProvision",
    Purpose.COMMUNICATION_MANAGEMENT: "dpv:CommunicationManagement",
    Purpose.PUBLIC_RELATIONS: "dpv:PublicRelations",
    Purpose.MARKETING: "dpv:Marketing",
    Purpose.ADVERTISING: "dpv:Advertising",
    Purpose.LEGAL_COMPLIANCE: "dpv:LegalCompliance",
    Purpose.DISPUTE_MANAGEMENT: "dpv:DisputeManagement",
    Purpose.ENFORCE_SECURITY: "dpv:EnforceSecurity",
    Purpose.NON_COMMERCIAL_PURPOSE: "dpv:NonCommercialPurpose",
    Purpose.COMMERCIAL_PURPOSE: "dpv:CommercialPurpose",
}
